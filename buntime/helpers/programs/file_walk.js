// List everything below a folder, page by page, with hashes if they are requested.
function entries(root, top, ignored) {
  const paths = [];
  const folders = [""];
  while (folders.length) {
    const folder = folders.pop();
    for (const entry of fs.readdirSync(nodePath.join(root, folder), { withFileTypes: true })) {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (top && path === ".buntime") continue;
      const isFolder = entry.isDirectory();
      if (ignored.test(isFolder ? `${path}/` : path)) continue;
      paths.push(path);
      if (isFolder) folders.push(path);
    }
  }
  return paths.sort();
}

function linked(full) {
  try {
    const target = real(full);
    if (isInside(target)) return [target, fs.statSync(target)];
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(error.code)) throw error;
  }
  return [full, fs.lstatSync(full)];
}

function statusOf(full, path, hashes) {
  try {
    const linkStatus = fs.lstatSync(full);
    const [target, status] = linkStatus.isSymbolicLink() ? linked(full) : [full, linkStatus];
    const entry = { ...described(path, status), link: linkStatus.isSymbolicLink() };
    return hashes && status.isFile() ? { ...entry, sha256: sha256(target) } : entry;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    // Deleted meanwhile, or a name that is not UTF-8, which was listed with U+FFFD in it.
    return path.includes("\ufffd") ? { path, size: 0, modified: 0, type: "other", link: false, executable: null } : null;
  }
}

main(({ path, hashes, ignore, after, limit, budget }) => {
  let root, status;
  try {
    [root, status] = present(path);
  } catch (error) {
    if (error.code === "ENOENT") return { root: null, entries: [], next: null };
    throw error;
  }
  if (!status.isDirectory()) return { root: statusOf(root, "", hashes), entries: [], next: null };
  const ignored = new RegExp(`^(?:${ignore})$`, "u");
  const names = entries(root, root === WORKSPACE, ignored).filter((name) => after === null || name > after);
  const page = [];
  let bytes = 0;
  let count = 0;
  for (const name of names) {
    if (count >= limit || bytes >= budget) break;
    count++;
    const entry = statusOf(nodePath.join(root, name), name, hashes);
    if (!entry) continue;
    page.push(entry);
    if (hashes) bytes += entry.size;
  }
  const next = count < names.length ? names[count - 1] : null;
  return { root: described("", status), entries: page, next };
});
