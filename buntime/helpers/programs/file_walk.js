// List everything below a folder, page by page, with hashes if they are requested.

function linked(full) {
  try {
    const target = real(full);
    if (isInside(target)) return [target, fs.statSync(target)];
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(error.code)) throw error;
  }
  return [full, fs.lstatSync(full)];
}

// Null for a path that vanished meanwhile. A name that is not UTF-8 cannot be looked up either, but has U+FFFD in it.
function statusOf(full, path, hashes, isUnopened = false) {
  let entry = { path, size: 0, modified: 0, type: isUnopened ? "directory" : "other", link: false, executable: null };
  try {
    const linkStatus = fs.lstatSync(full);
    const [target, status] = linkStatus.isSymbolicLink() ? linked(full) : [full, linkStatus];
    entry = { ...described(path, status), ...linkOf(full) };
    if (hashes && status.isFile()) entry.sha256 = sha256(target);
    return isUnopened ? { ...entry, readable: false } : entry;
  } catch (error) {
    const isMissing = ["ENOENT", "ENOTDIR"].includes(error.code);
    return isMissing && !path.includes("\ufffd") ? null : { ...entry, readable: false };
  }
}

main(({ path, hashes, ignore, after, limit, budget }) => {
  const ignored = new RegExp(`^(?:${ignore})$`, "u");
  let root, status, paths, unopened;
  try {
    [root, status] = present(path);
    if (!status.isDirectory()) return { root: statusOf(root, "", hashes), entries: [], next: null };
    [paths, unopened] = entries(root, root === WORKSPACE, ignored);
  } catch (error) {
    if (error.code === "ENOENT") return { root: null, entries: [], next: null };
    throw error;
  }
  const names = paths.filter((name) => after === null || name > after);
  const page = [];
  let bytes = 0;
  let count = 0;
  for (const name of names) {
    if (count >= limit || bytes >= budget) break;
    count++;
    const entry = statusOf(nodePath.join(root, name), name, hashes, unopened.has(name));
    if (!entry) continue;
    page.push(entry);
    if (hashes) bytes += entry.size;
  }
  const next = count < names.length ? names[count - 1] : null;
  return { root: described("", status), entries: page, next };
});
