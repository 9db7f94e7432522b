// Shared by the helpers for files.
const MOST_LINKS = 40;
const LONGEST_STAGED = 3600 * 1000;

function isInside(path) {
  return path === WORKSPACE || path.startsWith(WORKSPACE + nodePath.sep);
}

// The real path of another, which must exist. fs.realpathSync of Bun 1.3 treats a backslash in a name as a slash.
function real(path) {
  const parts = path.split("/");
  let at = "/";
  for (let links = 0; parts.length; ) {
    const part = parts.shift();
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
    parts.unshift(...target.split("/"));
  }
  return at;
}

// The real path of a name. Links are followed as long as they stay in the workspace; the last one only with `follow`.
function reach(name, { follow = true } = {}) {
  const full = locate(name);
  let at = follow || full === WORKSPACE ? full : nodePath.dirname(full);
  const rest = at === full ? [] : [nodePath.basename(full)];
  for (;;) {
    try {
      const resolved = real(at);
      if (!isInside(resolved)) fail("EOUTSIDE", `${name} leads outside the workspace`);
      return nodePath.join(resolved, ...rest);
    } catch (error) {
      if (error.code !== "ENOENT" || at === WORKSPACE) throw error;
      rest.unshift(nodePath.basename(at));
      at = nodePath.dirname(at);
    }
  }
}

// Like reach, for a path that must exist; a path below a file does not.
function present(name, options) {
  try {
    const path = reach(name, options);
    return [path, options?.follow === false ? fs.lstatSync(path) : fs.statSync(path)];
  } catch (error) {
    if (error.code === "ENOTDIR") error.code = "ENOENT";
    throw error;
  }
}

// The status of a path that was listed; null if it is gone, also if a file is in place of its folder.
function lstatIfPresent(path) {
  try {
    return fs.lstatSync(path, { bigint: true });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(error.code)) return null;
    throw error;
  }
}

function regular(name) {
  const [path, status] = present(name);
  if (status.isDirectory()) fail("EISDIR", `${name} is a folder`);
  if (!status.isFile()) fail("EINVAL", `${name} is not a regular file`);
  return [path, status];
}

function kindOf(status) {
  return status.isDirectory() ? "directory" : status.isFile() ? "file" : "other";
}

// Whether a path is a link, and its target.
function linkOf(full) {
  return fs.lstatSync(full).isSymbolicLink() ? { link: true, target: fs.readlinkSync(full) } : { link: false };
}

function described(path, status) {
  const size = status.isDirectory() ? 0 : status.size;
  const executable = status.isFile() ? (status.mode & 0o100) !== 0 : null;
  const mode = status.mode & 0o777;
  return { path, size, modified: status.mtimeMs, type: kindOf(status), link: false, executable, mode };
}

function sha256(path) {
  const hash = new Bun.CryptoHasher("sha256");
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

// Content that was sent with the request. Its file is deleted before anything is done, so that nothing remains of a helper
// that fails. If it is gone, an identical request of another client has read it.
function takeStaged(staged) {
  sweep();
  const full = locate(staged);
  try {
    const text = fs.readFileSync(full, "utf8");
    fs.unlinkSync(full);
    return text;
  } catch (error) {
    if (error.code === "ENOENT") fail("ECONSUMED", `${staged} does not exist`);
    throw error;
  }
}

// Delete content of clients and helpers that were killed.
function sweep() {
  const oldest = Date.now() - LONGEST_STAGED;
  for (const folder of ["staged", "parts", "results", "calls", "watches"].map((name) => locate(`.buntime/${name}`))) {
    try {
      for (const path of fs.readdirSync(folder).map((name) => nodePath.join(folder, name))) {
        if (fs.lstatSync(path).mtimeMs < oldest) fs.rmSync(path, { recursive: true, force: true });
      }
    } catch {} // the folder does not exist, or another helper has just deleted the file
  }
}

// The real path of a file to write, and the mode of the existing one.
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

// Rename a complete file to its final path atomically, with the mode of the file that it replaces.
function install(part, name, executable) {
  let [target, mode] = writable(name);
  mode ??= fs.statSync(part).mode & 0o777;
  if (executable === true) mode |= (mode & 0o444) >> 2;
  if (executable === false) mode &= ~0o111;
  fs.mkdirSync(nodePath.dirname(target), { recursive: true });
  fs.chmodSync(part, mode);
  fs.renameSync(part, target);
}
