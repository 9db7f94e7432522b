// Rename a file or folder.
main(({ path, target, overwrite }) => {
  const [from, found] = present(path, { follow: false });
  const to = reach(target, { follow: false });
  if (from === WORKSPACE || to === WORKSPACE) fail("EINVAL", "the workspace itself does not move");
  if (from === to) return {};
  if (to.startsWith(from + nodePath.sep)) fail("EINVAL", `${target} is inside ${path}`);
  let old = null;
  try {
    old = fs.lstatSync(to);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  if (old && !overwrite) fail("EEXIST", `${target} is there already`);
  if (old && (old.isDirectory() || found.isDirectory())) fail("EEXIST", `${target} is there; only a file replaces a file`);
  fs.mkdirSync(nodePath.dirname(to), { recursive: true });
  fs.renameSync(from, to);
  return {};
});
