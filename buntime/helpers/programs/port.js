// Whether something accepts connections on a port of the session's 127.0.0.1 within `wait` seconds.
main(async ({ port, wait }) => ({ open: Boolean(await pollUntil(wait, () => accepts(port))) }));

async function accepts(port) {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
