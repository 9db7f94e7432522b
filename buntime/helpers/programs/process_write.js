// Write to the standard input of a process, and close it with `end`; wait for the process to read. Nothing is written twice:
// `offset` is the position of the content in all input, null to only ask for it.
main(async ({ number, staged, offset, end, wait }) => {
  const bytes = staged === null ? Buffer.alloc(0) : Buffer.from(takeStaged(staged), "base64");
  stateOf(number);
  const input = stored(number, "input") ?? fail("EINVAL", `process ${number} was started without stdin=True`);
  const key = `${offset} ${Bun.hash(bytes)}`;
  const reply = (await send(number, { offset, key, end, wait }, bytes)) ?? { state: "ended", offset: input.offset };
  if (reply.state === "written" || reply.state === "pending") return reply;
  // It has ended meanwhile: that it read the bytes before is all that was asked for.
  const { last, closed } = stored(number, "input") ?? input;
  if (reply.state === "ended" && (bytes.length === 0 || last === key)) return { ...reply, state: "written" };
  if (reply.state === "moved") fail("ECHANGED", `another client wrote to the standard input of process ${number}`);
  const why = closed ? "is closed" : "has no reader: the process has ended or closed it";
  return fail("EPIPE", `the standard input of process ${number} ${why}`);
});

async function send(number, message, body) {
  const unix = nodePath.relative(process.cwd(), nodePath.join(folderOf(number), "stdin.socket"));
  const headers = { message: JSON.stringify(message) };
  try {
    return await (await fetch("http://localhost/", { unix, method: "POST", headers, body, timeout: false })).json();
  } catch {
    return null; // there is no watcher any more
  }
}
