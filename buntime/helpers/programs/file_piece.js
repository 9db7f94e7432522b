// Write bytes, sent in base64, at an offset of a file that does not have its final path yet.
main(({ staged, path, part, offset }) => {
  const bytes = Buffer.from(takeStaged(staged), "base64");
  if (offset === 0) writable(path); // before the rest of it is sent
  const full = locate(part);
  fs.mkdirSync(nodePath.dirname(full), { recursive: true });
  const file = fs.openSync(full, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o666);
  try {
    for (let done = 0; done < bytes.length; ) {
      done += fs.writeSync(file, bytes, done, bytes.length - done, offset + done);
    }
  } finally {
    fs.closeSync(file);
  }
  return {};
});
