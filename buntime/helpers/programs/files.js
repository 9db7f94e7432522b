// What the helpers for files have in common.
const crypto = require("node:crypto");
const MOST_LINKS = 40;

function isInside(path) {
  return path === WORKSPACE || path.startsWith(WORKSPACE + nodePath.sep);
}

// The path behind another, which must be there. fs.realpathSync of Bun 1.3 takes a backslash in a name for a slash.
function real(path) {
  const left = path.split("/");
  let at = "/";
  for (let links = 0; left.length; ) {
    const part = left.shift();
    if (part === "..") at = nodePath.dirname(at);
    if (["", ".", ".."].includes(part)) continue;
    const next = nodePath.join(at, part);
    if (!fs.lstatSync(next).isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > MOST_LINKS) fail("ELOOP", `${path} leads through too many links`);
    const target = fs.readlinkSync(next);
    if (target.startsWith("/")) at = "/";
    left.unshift(...target.split("/"));
  }
  return at;
}

// The path behind a name. Links on the way are followed as long as they stay in the workspace; so is the last one,
// unless it is the link itself that is meant.
function reach(name, { follow = true } = {}) {
  const full = locate(name);
  let at = follow || full === WORKSPACE ? full : nodePath.dirname(full);
  const rest = at === full ? [] : [nodePath.basename(full)];
  for (;;) {
    try {
      const found = real(at);
      if (!isInside(found)) fail("EOUTSIDE", `${name} leads outside the workspace`);
      return nodePath.join(found, ...rest);
    } catch (error) {
      if (error.code !== "ENOENT" || at === WORKSPACE) throw error;
      rest.unshift(nodePath.basename(at));
      at = nodePath.dirname(at);
    }
  }
}

// As reach, for what must be there: below a file there is nothing.
function present(name, options) {
  try {
    const path = reach(name, options);
    return [path, options?.follow === false ? fs.lstatSync(path) : fs.statSync(path)];
  } catch (error) {
    if (error.code === "ENOTDIR") error.code = "ENOENT";
    throw error;
  }
}

function regular(name) {
  const [path, found] = present(name);
  if (found.isDirectory()) fail("EISDIR", `${name} is a folder`);
  if (!found.isFile()) fail("EINVAL", `${name} is not a regular file`);
  return [path, found];
}

function kindOf(found) {
  return found.isDirectory() ? "directory" : found.isFile() ? "file" : "other";
}

function described(path, found) {
  const size = found.isDirectory() ? 0 : found.size;
  const executable = found.isFile() ? (found.mode & 0o100) !== 0 : null;
  return { path, size, modified: found.mtimeMs, type: kindOf(found), link: false, executable };
}

function sha256(path) {
  const hash = crypto.createHash("sha256");
  const buffer = Buffer.allocUnsafe(1 << 20);
  const file = fs.openSync(path, "r");
  try {
    for (let count; (count = fs.readSync(file, buffer, 0, buffer.length, null)) > 0; ) {
      hash.update(buffer.subarray(0, count));
    }
  } finally {
    fs.closeSync(file);
  }
  return hash.digest("hex");
}

// What was sent with the request. It is deleted when it has been used: gone, an earlier attempt did everything,
// or the same request of somebody else.
function taken(staged) {
  try {
    return fs.readFileSync(locate(staged), "utf8");
  } catch (error) {
    if (error.code === "ENOENT") fail("ECONSUMED", `${staged} is not there`);
    throw error;
  }
}

function used(staged) {
  fs.rmSync(locate(staged), { force: true });
}

// The path behind the name of a file to be written, and the mode of the one that is there.
function writable(name) {
  const target = reach(name);
  if (target === WORKSPACE) fail("EISDIR", `${name} is the workspace itself`);
  try {
    const old = fs.statSync(target);
    if (old.isDirectory()) fail("EISDIR", `${name} is a folder`);
    if (!old.isFile()) fail("EINVAL", `${name} is not a regular file`);
    return [target, old.mode & 0o777];
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return [target, null];
  }
}

// Put a complete file in its place, at once, with the mode of the one it replaces.
function place(part, name, executable) {
  let [target, mode] = writable(name);
  mode ??= fs.statSync(part).mode & 0o777;
  if (executable === true) mode |= (mode & 0o444) >> 2;
  if (executable === false) mode &= ~0o111;
  fs.mkdirSync(nodePath.dirname(target), { recursive: true });
  fs.chmodSync(part, mode);
  fs.renameSync(part, target);
}
