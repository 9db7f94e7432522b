// Check a file that was written in ranges, and rename it to its final path.
main(({ path, part, size, digest, executable }) => {
  const full = locate(part);
  if (!fs.existsSync(full)) {
    // An earlier attempt did it, or another client renamed it.
    const [target, status] = regular(path);
    if (status.size !== size || sha256(target) !== digest) fail("ECHANGED", `${path} was written by another client meanwhile`);
    return {};
  }
  fs.truncateSync(full, size);
  if (sha256(full) !== digest) {
    fs.unlinkSync(full);
    fail("ECHANGED", `${path} did not arrive as it was sent: another client wrote it too`);
  }
  install(full, path, executable);
  return {};
});
