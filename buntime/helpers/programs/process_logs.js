// The output of a process from two offsets on, at most `limit` bytes of each. Waits up to `wait` seconds for output, and
// then up to `gather` for more. `frequent` is whether it came soon, so that gathering saves calls.
const SOON = 1000;

main(async (options) => {
  const began = performance.now();
  await pollUntil(options.wait, () => pieces(options, (logs, length) => logs.complete || length > 0));
  const frequent = performance.now() - began < SOON;
  const logs = await pollUntil(options.gather, (last) => pieces(options, (logs, _, full) => last || logs.complete || full));
  return { ...logs, frequent };
});

function pieces({ number, stdout, stderr, limit }, enough) {
  const { running } = readStatus(number); // before its output: once it has ended there is no more
  const out = piece(number, "stdout", stdout, limit, running);
  const err = piece(number, "stderr", stderr, limit, running);
  const logs = {
    stdout: out.text,
    stderr: err.text,
    stdout_offset: out.offset,
    stderr_offset: err.offset,
    complete: out.complete && err.complete,
  };
  return enough(logs, out.text.length + err.text.length, out.full || err.full) ? logs : null;
}

function piece(number, name, offset, limit, running) {
  const file = fs.openSync(nodePath.join(folderOf(number), name), "r");
  try {
    const available = fs.fstatSync(file).size - offset;
    const buffer = Buffer.alloc(Math.max(0, Math.min(available, limit)));
    const count = buffer.length ? fs.readSync(file, buffer, 0, buffer.length, offset) : 0;
    const last = !running && count >= available;
    const bytes = buffer.subarray(0, last ? count : utf8Boundary(buffer.subarray(0, count)));
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    return { text, offset: offset + bytes.length, complete: last, full: count < available };
  } finally {
    fs.closeSync(file);
  }
}

// The number of bytes before a character that is cut off at their end.
function utf8Boundary(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
