// Read bytes of a file, in base64; with the last of several ranges, the hash of the complete file.
main(({ path, offset, length }) => {
  const [full, status] = regular(path);
  const file = fs.openSync(full, "r");
  try {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, status.size - offset)));
    let count = 0;
    while (count < buffer.length) {
      const more = fs.readSync(file, buffer, count, buffer.length - count, offset + count);
      if (!more) fail("ECHANGED", `${path} became shorter while it was read`);
      count += more;
    }
    const stamp = `${status.ino}-${status.size}-${status.mtimeMs}`;
    const last = offset > 0 && offset + count >= status.size;
    return { size: status.size, stamp, sha256: last ? sha256(full) : null, base64: buffer.toString("base64") };
  } finally {
    fs.closeSync(file);
  }
});
