// Shared by the helpers for processes. The folder .buntime/processes/7 has `stdout` and `stderr` of process 7, `state` (its
// identity and its watcher's; exists once it runs) and `exit` (its exit code; exists once it has ended).
const PROCESSES = nodePath.join(WORKSPACE, ".buntime/processes");
const KILLED = 137;

// A text that differs for a later process with the same pid: the start of the machine, of the first process, and of the
// process itself. null if it does not exist.
function born(fs, pid) {
  const read = (path) => {
    try {
      return fs.readFileSync(path, "latin1");
    } catch {
      return null;
    }
  };
  const fieldsOf = (pid) => {
    const line = read(`/proc/${pid}/stat`);
    return line && line.slice(line.lastIndexOf(")") + 2).split(" ");
  };
  const fields = fieldsOf(pid);
  if (fields) {
    if ("ZX".includes(fields[0])) return null;
    return `${read("/proc/sys/kernel/random/boot_id")} ${fieldsOf(1)?.[19]} ${fields[19]}`;
  }
  if (read("/proc/self/stat")) return null;
  try {
    process.kill(pid, 0); // without /proc, only the pid is known
    return "unknown";
  } catch {
    return null;
  }
}

// A process that ended before it could be examined has no `born`.
function alive(who) {
  return who.born !== null && born(fs, who.pid) === who.born;
}

// Whether its pid is from this boot, and not from before the session fell asleep.
function isThisBoot(who) {
  const before = (time) => time.slice(0, time.lastIndexOf(" "));
  return before(who.born) === before(born(fs, process.pid));
}

function folderOf(number) {
  return nodePath.join(PROCESSES, String(number));
}

function stored(number, name) {
  try {
    return JSON.parse(fs.readFileSync(nodePath.join(folderOf(number), name), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  }
}

function stateOf(number) {
  return stored(number, "state") ?? fail("ESRCH", `the session has no process ${number}`);
}

// A process that ended without an exit code was killed together with its watcher.
function readStatus(number) {
  const state = stateOf(number);
  const running = alive(state.watcher) || alive(state.program);
  const exit = stored(number, "exit"); // read last, because the watcher writes it and then ends
  const ended = exit !== null || !running;
  return { number, pid: state.program.pid, running: !ended, exit_code: ended ? (exit ?? KILLED) : null };
}

// Call `check` repeatedly until it returns a value, or until `seconds` have passed.
async function pollUntil(seconds, check) {
  const until = performance.now() + seconds * 1000;
  for (let pause = 5; ; pause = Math.min(pause * 2, 50)) {
    const last = performance.now() >= until;
    const value = await check(last);
    if (value || last) return value;
    await Bun.sleep(Math.min(pause, Math.max(1, until - performance.now())));
  }
}
