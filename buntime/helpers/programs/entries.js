// Shared by the helpers that list a folder with everything below it.

// The sorted paths below a folder, and the folders among them that could not be opened: their permissions forbid it,
// they vanished, or their name is not UTF-8, which Bun lists with U+FFFD and cannot open.
function entries(root, top, ignored) {
  const paths = [];
  const unopened = new Set();
  const folders = [""];
  while (folders.length) {
    const folder = folders.pop();
    let children;
    try {
      children = fs.readdirSync(nodePath.join(root, folder), { withFileTypes: true });
    } catch (error) {
      if (folder === "") throw error;
      unopened.add(folder);
      continue;
    }
    for (const entry of children) {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (top && /^\.(buntime$|~buntime-)/.test(path)) continue; // our files, and those that a service is writing
      const isFolder = entry.isDirectory();
      if (ignored.test(isFolder ? `${path}/` : path)) continue;
      paths.push(path);
      if (isFolder) folders.push(path);
    }
  }
  return [paths.sort(), unopened];
}
