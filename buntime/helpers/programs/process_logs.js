// What a process has written from two offsets on, at most `limit` bytes of each; waits up to `wait` seconds for some,
// and then up to `gather` for more. `frequent` says that it came soon, so that gathering saves calls.
const SOON = 1000;

main(async (asked) => {
  const began = performance.now();
  await pollUntil(asked.wait, () => pieces(asked, (found, length) => found.complete || length > 0));
  const frequent = performance.now() - began < SOON;
  const found = await pollUntil(asked.gather, (last) => pieces(asked, (it, _, full) => last || it.complete || full));
  return { ...found, frequent };
});

function pieces({ number, stdout, stderr, limit }, enough) {
  const { running } = readStatus(number); // before its output, so that an end is an end of the output too
  const out = piece(number, "stdout", stdout, limit, running);
  const err = piece(number, "stderr", stderr, limit, running);
  const found = {
    stdout: out.text,
    stderr: err.text,
    stdout_offset: out.offset,
    stderr_offset: err.offset,
    complete: out.complete && err.complete,
  };
  return enough(found, out.text.length + err.text.length, out.full || err.full) ? found : null;
}

function piece(number, name, offset, limit, running) {
  const file = fs.openSync(nodePath.join(folderOf(number), name), "r");
  try {
    const left = fs.fstatSync(file).size - offset;
    const buffer = Buffer.alloc(Math.max(0, Math.min(left, limit)));
    const count = buffer.length ? fs.readSync(file, buffer, 0, buffer.length, offset) : 0;
    const last = !running && count >= left;
    const bytes = buffer.subarray(0, last ? count : utf8Boundary(buffer.subarray(0, count)));
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    return { text, offset: offset + bytes.length, complete: last, full: count < left };
  } finally {
    fs.closeSync(file);
  }
}

// How many of the bytes there are before a character that is cut at their end.
function utf8Boundary(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
