// Copy a file or folder. It is complete when it gets its name.
function copy(from, to, status) {
  if (status.isDirectory()) {
    fs.mkdirSync(to);
    for (const name of fs.readdirSync(from)) {
      const child = nodePath.join(from, name);
      copy(child, nodePath.join(to, name), fs.lstatSync(child));
    }
  } else if (status.isSymbolicLink()) {
    fs.symlinkSync(fs.readlinkSync(from), to);
  } else if (status.isFile()) {
    fs.copyFileSync(from, to);
  } else {
    fail("EINVAL", `${nodePath.relative(WORKSPACE, from)} is neither a file, a folder nor a link`);
  }
  if (!status.isSymbolicLink()) fs.chmodSync(to, status.mode & 0o777);
}

main(({ path, target, overwrite }) => {
  const [from, status] = present(path);
  const to = reach(target);
  if (from === to) fail("EINVAL", `${path} and ${target} are the same`);
  if (to.startsWith(from + nodePath.sep)) fail("EINVAL", `${target} is inside ${path}`);
  let old = null;
  try {
    old = fs.statSync(to);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  if (old && !overwrite) fail("EEXIST", `${target} exists already`);
  if (old && !(old.isFile() && status.isFile())) fail("EEXIST", `${target} exists; only a file can replace a file`);
  const part = locate(`.buntime/parts/copy-${process.pid}-${Date.now()}`);
  fs.mkdirSync(nodePath.dirname(part), { recursive: true });
  try {
    copy(from, part, status);
    fs.mkdirSync(nodePath.dirname(to), { recursive: true });
    fs.renameSync(part, to);
  } finally {
    fs.rmSync(part, { recursive: true, force: true });
  }
  return {};
});
