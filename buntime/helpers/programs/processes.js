// What the helpers of background processes share. Of process 7, .buntime/processes/7 holds `stdout` and `stderr`,
// `state` (who it is, and who watches it; there once it runs) and `exit` (its exit code; there once it has ended).
const PROCESSES = nodePath.join(WORKSPACE, ".buntime/processes");
const KILLED = 137;

// When a process began, and before it when the machine and the first process did that it is one of; this tells it from
// a later one of the same pid. null where it is gone.
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
    process.kill(pid, 0); // where there is no /proc, a pid is all there is
    return "unknown";
  } catch {
    return null;
  }
}

// One that had ended before it could be looked at has no `born`.
function alive(who) {
  return who.born !== null && born(fs, who.pid) === who.born;
}

// Whether its pid is one of these processes', and not of those before the session fell asleep.
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

// Whoever ended without an exit code was killed together with its watcher.
function readStatus(number) {
  const state = stateOf(number);
  const running = alive(state.watcher) || alive(state.program);
  const exit = stored(number, "exit"); // looked for last, as the watcher writes it and is gone
  const ended = exit !== null || !running;
  return { number, pid: state.program.pid, running: !ended, exit_code: ended ? (exit ?? KILLED) : null };
}

// Ask again and again until there is an answer, or until `seconds` have passed.
async function pollUntil(seconds, ask) {
  const until = performance.now() + seconds * 1000;
  for (let pause = 5; ; pause = Math.min(pause * 2, 50)) {
    const last = performance.now() >= until;
    const answer = await ask(last);
    if (answer || last) return answer;
    await Bun.sleep(Math.min(pause, Math.max(1, until - performance.now())));
  }
}
