// Write bytes, sent in base64, at the end of a file, which must be at `offset`. With `resume`, an earlier attempt may have
// written the first of them, or all.
main(({ staged, path, offset, resume }) => {
  const bytes = Buffer.from(takeStaged(staged), "base64");
  const [full] = writable(path);
  fs.mkdirSync(nodePath.dirname(full), { recursive: true });
  const file = fs.openSync(full, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666);
  try {
    const present = Buffer.alloc(Math.max(0, Math.min(bytes.length, fs.fstatSync(file).size - offset)));
    fs.readSync(file, present, 0, present.length, offset);
    const isSame = resume ? present.equals(bytes.subarray(0, present.length)) : !present.length;
    if (fs.fstatSync(file).size < offset || !isSame) fail("ECHANGED", `${path} was written by another client meanwhile`);
    for (let done = present.length; done < bytes.length; ) {
      done += fs.writeSync(file, bytes, done, bytes.length - done, offset + done);
    }
    return { size: fs.fstatSync(file).size };
  } finally {
    fs.closeSync(file);
  }
});
