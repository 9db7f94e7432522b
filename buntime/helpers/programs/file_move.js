// Rename a file or folder.
main(({ path, target, overwrite }) => {
  const [from, status] = present(path, { follow: false });
  const to = reach(target, { follow: false });
  if (from === WORKSPACE || to === WORKSPACE) fail("EINVAL", "the workspace itself cannot be moved");
  if (from === to) return {};
  if (to.startsWith(from + nodePath.sep)) fail("EINVAL", `${target} is inside ${path}`);
  let old = null;
  try {
    old = fs.lstatSync(to);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  if (old && !overwrite) fail("EEXIST", `${target} exists already`);
  if (old && (old.isDirectory() || status.isDirectory())) fail("EEXIST", `${target} exists; only a file can replace a file`);
  fs.mkdirSync(nodePath.dirname(to), { recursive: true });
  fs.renameSync(from, to);
  return {};
});
