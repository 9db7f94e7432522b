// Check a file that was written in ranges, and put it in its place.
main(({ path, part, size, digest, executable }) => {
  const full = locate(part);
  if (!fs.existsSync(full)) {
    // An earlier attempt did it, or somebody else has taken it.
    const [target, found] = regular(path);
    if (found.size !== size || sha256(target) !== digest) fail("ECHANGED", `${path} was written by somebody else meanwhile`);
    return {};
  }
  fs.truncateSync(full, size);
  if (sha256(full) !== digest) {
    fs.unlinkSync(full);
    fail("ECHANGED", `${path} did not arrive as it was sent: somebody else was writing it too`);
  }
  place(full, path, executable);
  return {};
});
