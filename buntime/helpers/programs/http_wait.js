// Whether a server on 127.0.0.1 in the session responds with a status within `wait` seconds, and its last status.
main(async ({ port, path, status, wait }) => {
  const until = performance.now() + wait * 1000;
  let last = null;
  const ready = await pollUntil(wait, async () => {
    const signal = AbortSignal.timeout(Math.max(50, until - performance.now()));
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal, redirect: "manual" });
      last = response.status;
      await response.body?.cancel();
    } catch {}
    return last === status;
  });
  return { ready, status: last };
});
