// List a folder with all that is below it, one page after another; with hashes where they are asked for.
function entries(root, top, ignored) {
  const found = [];
  const folders = [""];
  while (folders.length) {
    const folder = folders.pop();
    for (const entry of fs.readdirSync(nodePath.join(root, folder), { withFileTypes: true })) {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (top && path === ".buntime") continue;
      const isFolder = entry.isDirectory();
      if (ignored.test(isFolder ? `${path}/` : path)) continue;
      found.push(path);
      if (isFolder) folders.push(path);
    }
  }
  return found.sort();
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
    const own = fs.lstatSync(full);
    const [target, found] = own.isSymbolicLink() ? linked(full) : [full, own];
    const entry = { ...described(path, found), link: own.isSymbolicLink() };
    return hashes && found.isFile() ? { ...entry, sha256: sha256(target) } : entry;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    // Gone meanwhile, or a name whose bytes are not UTF-8: such a name was listed with U+FFFD in it.
    return path.includes("\ufffd") ? { path, size: 0, modified: 0, type: "other", link: false, executable: null } : null;
  }
}

main(({ path, hashes, ignore, after, limit, budget }) => {
  let root, found;
  try {
    [root, found] = present(path);
  } catch (error) {
    if (error.code === "ENOENT") return { root: null, entries: [], next: null };
    throw error;
  }
  if (!found.isDirectory()) return { root: statusOf(root, "", hashes), entries: [], next: null };
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
  return { root: described("", found), entries: page, next };
});
