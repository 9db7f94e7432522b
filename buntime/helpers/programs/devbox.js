// Runs one request of a session over a devbox, in the folder of its workspace. The request is a file, so that no command
// line shows code or variables. The last line that this writes to stderr has the outcome. It ends with the program's exit code.
const MOST_FILES = 10_000; // more are not compared for `written`
// The variable by which the processes of a program are found. Without a sandbox, devboxes see those of each other.
const TAG = `BUNTIME_RUN=${Bun.hash(WORKSPACE).toString(36)}-`;
const KILLED_FOR_TIME = 124;

async function outcomeOf(name) {
  try {
    const request = JSON.parse(claim(nodePath.join(__dirname, "requests", name)));
    return await { run, write, list, kill: killed, info }[request.op](request);
  } catch (error) {
    return { error: { code: String(error.code ?? error.name), message: String(error.message) } };
  }
}

// Of two clients with equal requests at the same time, one finds no file: it sends its request again.
function claim(path) {
  const mine = `${path}.${process.pid}`;
  try {
    fs.renameSync(path, mine);
  } catch (error) {
    fail(error.code === "ENOENT" ? "ECONSUMED" : error.code, error.message);
  }
  const text = fs.readFileSync(mine, "utf8");
  fs.unlinkSync(mine);
  return text;
}

async function run({ files, code, command, env, working_dir, timeout, label }) {
  write({ files });
  const cwd = folder(working_dir);
  const before = label ? null : stamps(); // a helper's result has no `written`
  const program = programOf(code, command, false);
  const tag = TAG + crypto.randomUUID();
  const variables = { ...initialEnvironment(), BUNTIME_RUN: tag.slice(tag.indexOf("=") + 1), ...env, PWD: cwd };
  const stdin = program.code === null ? "ignore" : Buffer.from(program.code || "\n");
  const began = performance.now();
  const child = Bun.spawn({ cmd: program.argv, cwd, env: variables, stdio: [stdin, "inherit", "inherit"], detached: true });
  let timed_out = false;
  const timer = setTimeout(() => {
    timed_out = true;
    sweep(tag);
    try {
      process.kill(-child.pid, "SIGKILL"); // without /proc, its group is all that is known
    } catch {} // it has ended
  }, timeout * 1000);
  await child.exited;
  clearTimeout(timer);
  const usage = child.resourceUsage();
  const signal = child.signalCode ? 128 + require("node:os").constants.signals[child.signalCode] : child.exitCode;
  const after = before && stamps();
  return {
    exit: timed_out ? KILLED_FOR_TIME : signal,
    timed_out,
    wall: performance.now() - began,
    cpu: Number(usage.cpuTime.total) / 1000,
    memory: Number(usage.maxRSS),
    written: after && [...after.keys()].filter((path) => after.get(path) !== before.get(path)).sort(),
    ...(label && { label }), // the operation of a helper, so that a recording shows its reply as a value
  };
}

function write({ files }) {
  const targets = files.map(([path, content]) => [target(path), content]); // all are checked before the first is written
  for (const [path, content] of targets) {
    fs.mkdirSync(nodePath.dirname(path), { recursive: true });
    fs.writeFileSync(path, content);
  }
  return {};
}

// A write follows a link to nothing, also out of the workspace.
function target(path) {
  const [full, mode] = writable(path);
  const isLink = mode === null && fs.lstatSync(full, { throwIfNoEntry: false });
  return isLink ? fail("EOUTSIDE", `${path} is a link to a file that does not exist`) : full;
}

// What changes whenever a file of the workspace is written to, by its path; null for too many files. A folder that cannot be
// opened is left out: it vanished, its permissions forbid it, or its name is not UTF-8.
function stamps() {
  const found = new Map();
  const folders = [""];
  while (folders.length) {
    const parent = folders.pop();
    let children;
    try {
      children = fs.readdirSync(nodePath.join(WORKSPACE, parent), { withFileTypes: true });
    } catch (error) {
      if (parent === "") throw error;
      continue;
    }
    for (const entry of children) {
      const path = parent ? `${parent}/${entry.name}` : entry.name;
      if (path === ".buntime") continue;
      if (entry.isDirectory()) folders.push(path);
      if (!entry.isFile()) continue;
      if (found.size === MOST_FILES) return null;
      const status = lstatIfPresent(nodePath.join(WORKSPACE, path));
      if (status) found.set(path, `${status.ino} ${status.size} ${status.ctimeNs} ${status.mtimeNs}`);
    }
  }
  return found;
}

function list({ path, offset, limit }) {
  const [top, status] = present(path);
  if (!status.isDirectory()) fail("ENOTDIR", `${path} is not a folder`);
  const entries = [];
  for (const name of fs.readdirSync(top).sort().slice(offset, offset + limit)) {
    const full = nodePath.join(top, name);
    const status = fs.statSync(full, { throwIfNoEntry: false }) ?? fs.lstatSync(full, { throwIfNoEntry: false });
    if (status) entries.push(described(nodePath.relative(WORKSPACE, full), status));
  }
  return { entries };
}

function info() {
  return { files: stamps()?.size ?? null, processes: tagged(TAG).length };
}

// The watcher of a background process is not a process of a program: it records the end of one, and then ends.
async function killed({ pid }) {
  const pids = sweep(TAG, (each) => pid === null || each === pid);
  await pollUntil(5, () => states().every((state) => alive(state.program) || !alive(state.watcher)));
  return { pids };
}

function states() {
  const names = fs.existsSync(PROCESSES) ? fs.readdirSync(PROCESSES) : [];
  return names.map((name) => stored(name, "state")).filter((state) => state !== null);
}

// The pids of live processes with a variable that begins so: their program's, which they inherited.
function tagged(beginning) {
  return (fs.existsSync("/proc") ? fs.readdirSync("/proc") : []).map(Number).filter((pid) => {
    try {
      const status = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
      if ("ZX".includes(status[status.lastIndexOf(")") + 2])) return false;
      return `\0${fs.readFileSync(`/proc/${pid}/environ`, "latin1")}`.includes(`\0${beginning}`);
    } catch {
      return false; // no process, another user's, or one that has ended
    }
  });
}

function sweep(beginning, chosen = () => true) {
  const pids = new Set();
  for (const until = performance.now() + 2000; performance.now() < until; Bun.sleepSync(1)) {
    const alive = tagged(beginning).filter(chosen);
    if (!alive.length) break;
    for (const pid of alive) {
      pids.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {} // it has just ended
    }
  }
  return [...pids];
}

const outcome = await outcomeOf(process.argv[2]);
print(`\x1ebuntime:end ${JSON.stringify(outcome)}\n`, 2);
process.exit(outcome.exit ?? 0);
