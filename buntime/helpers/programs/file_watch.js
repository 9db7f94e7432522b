// Report what changed below a path since the last turn of a watch, and wait up to `wait` seconds for the first change. The
// file .buntime/watches/N has the turn, its events, and a stamp of each path after them, so that a turn that is sent again
// has the same events. Watch 0 begins a watch and returns N; `end` deletes the file, which ends a turn that waits.
const WATCHES = locate(".buntime/watches");
const MOST_PATHS = 100_000;
const MOST_EVENTS = 1000;

// A stamp begins with the type of its path: a file that replaces a folder is another one. That of a folder is its type
// alone, because its date changes with its children.
function stamp(path) {
  const status = lstatIfPresent(path);
  if (!status) return null;
  if (status.isDirectory()) return "directory";
  return `${status.isFile() ? "file" : "other"} ${status.size} ${status.mtimeNs} ${status.ino}`;
}

// A path that vanishes meanwhile is missing, as it is for the next look.
function look({ path, ignore }, isFirst) {
  let root, names;
  try {
    let status;
    [root, status] = present(path);
    const ignored = new RegExp(`^(?:${ignore})$`, "u");
    names = status.isDirectory() ? entries(root, root === WORKSPACE, ignored)[0] : [""];
  } catch (error) {
    if (isFirst || !["ENOENT", "ENOTDIR"].includes(error.code)) throw error;
    return new Map();
  }
  if (names.length > MOST_PATHS) fail("E2BIG", `${path} has more than ${MOST_PATHS} paths; watch a folder of it, or ignore some`);
  const base = nodePath.relative(WORKSPACE, root);
  const stamps = names.map((name) => [[base, name].filter(Boolean).join("/"), stamp(nodePath.join(root, name))]);
  return new Map(stamps.filter(([, stamp]) => stamp));
}

// What is below a folder is deleted before it and created after it. Applies the events to `old`.
function changes(old, now) {
  const typeIn = (stamps, name) => stamps.get(name)?.split(" ")[0];
  const names = [...new Set([...old.keys(), ...now.keys()])].filter((name) => old.get(name) !== now.get(name)).sort();
  const gone = names.filter((name) => old.has(name) && typeIn(old, name) !== typeIn(now, name)).reverse();
  const events = gone.map((name) => ["deleted", name, typeIn(old, name)]);
  for (const name of names.filter((name) => now.has(name))) {
    events.push([typeIn(old, name) === typeIn(now, name) ? "changed" : "created", name, typeIn(now, name)]);
  }
  const first = events.slice(0, MOST_EVENTS);
  for (const [kind, name] of first) kind === "deleted" ? old.delete(name) : old.set(name, now.get(name));
  return first;
}

function store(file, turn, events, stamps) {
  fs.writeFileSync(`${file}.new`, JSON.stringify({ turn, events, stamps: [...stamps] }));
  fs.renameSync(`${file}.new`, file);
}

function begin() {
  const stamps = look(helper, true);
  fs.mkdirSync(WATCHES, { recursive: true });
  fs.writeFileSync(nodePath.join(WATCHES, "../.gitignore"), "*\n");
  for (let number = 1; ; number++) {
    const file = nodePath.join(WATCHES, String(number));
    try {
      fs.closeSync(fs.openSync(file, "wx"));
    } catch (error) {
      if (error.code === "EEXIST") continue;
      throw error;
    }
    store(file, 0, [], stamps);
    return { watch: number };
  }
}

main(async ({ watch, turn, end, wait }) => {
  sweep();
  if (watch === 0) return begin();
  const file = nodePath.join(WATCHES, String(watch));
  if (end) fs.rmSync(file, { force: true });
  let state;
  try {
    state = JSON.parse(fs.readFileSync(file, "utf8"));
    if (turn === state.turn) return { events: state.events };
    fs.utimesSync(file, new Date(), new Date()); // the sweep deletes a watch that is not used for an hour
  } catch (error) {
    if (error.code === "ENOENT") return { ended: true };
    throw error;
  }
  const stamps = new Map(state.stamps);
  for (const until = performance.now() + wait * 1000; ; ) {
    const began = performance.now();
    const events = changes(stamps, look(helper, false));
    if (events.length && fs.existsSync(file)) store(file, turn, events, stamps);
    if (events.length || performance.now() >= until) return { events };
    // Looking takes a tenth of the time at most.
    await Bun.sleep(Math.min(Math.max(25, 9 * (performance.now() - began)), Math.max(1, until - performance.now())));
    if (!fs.existsSync(file)) return { ended: true };
  }
});
