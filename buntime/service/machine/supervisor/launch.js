// How the program of an execution is started: by a shell that was made ready for it, and then reads what to do from a
// pipe. A shell is in one of three states: none (no process waits), waiting (its pid is known, no process of an
// execution is alive), launched (it has its script, and becomes the program).
"use strict";
const fs = require("node:fs");
const os = require("node:os");
const { Output } = require("./output.js");
const processes = require("./processes.js");

// The shell that waits is one whose parent shell has gone, so that it is a child of this process alone: a child
// started directly would report at least this process's own memory as its peak. Bun.spawnSync() waits for the end of the
// parent, which could otherwise reap a short program in its last wait. The resident set limit, which Linux accepts and
// ignores, tags all that an execution starts: it is inherited and can only be lowered.
const READY = `
{ ulimit -c 0; ulimit -f "$1"; ulimit -m "$2"; [ -z "$3" ] || ulimit -u "$3" || ulimit -p "$3"; } 2>/dev/null
( cd -P /proc/self && echo "\${PWD##*/}"; exec >&3 3>&-; kill -9 $$; . /proc/self/fd/4 ); :`;
const OF_SHELLS = new RegExp(
  "^(BASH.*|CDPATH|COMP_.*|DIRSTACK|E?UID|ENV|EPOCH.*|FUNCNAME|GLOBIGNORE|GROUPS|HIST.*|IFS|LANG|LC_.*|LINENO|MAIL.*" +
    "|OLDPWD|OPT(ARG|ERR|IND)|PIPESTATUS|POSIXLY_CORRECT|PPID|PS\\d|PWD|S?RANDOM|SECONDS|SHELLOPTS|SHLVL" +
    "|TEXTDOMAIN.*|TIMEFORMAT|TMOUT|_)$",
);
const PIPE_SIZE = 1024 * 1024; // Bun loses what a pipe has no room for when a program calls process.exit()
const SMALL_PIPE_SIZE = 64 * 1024; // all pipes of a user together may have 64 MB
const ANGLE = /(?:^|[^\w$)\]\s]|\b(?:async|await|case|default|return|typeof|void|yield))\s*<[A-Za-z_$]/;
const LONGEST_SCAN = 1024 * 1024;
const DIRECTLY = `ulimit -c 0; ulimit -f "$1" 2>/dev/null; shift; exec "$@"`;

let config;
let fifos = 0;
let spawning = false;
let readyShell = null;
let firstTag;
let nextTag; // they count down: a process can only take a lower one than its own

function begin(message) {
  config = message;
  firstTag = nextTag = message.tag;
}

// Whether an execution has, or had, this tag.
function isIssued(tag) {
  return tag > nextTag && tag <= firstTag;
}

// Whether a child is just being started, which is then Bun's to wait for.
function busy() {
  return spawning;
}

// ---- the program ---------------------------------------------------------------------------------------------------

// Start the program of `run`, and give `run` its pid, its tag and its outputs. Its end is seen by `processes.reap`;
// without /proc, `ended` is called.
function launch(run, ended) {
  const cwd = run.cwd ? `${config.workspace}/${run.cwd}` : config.workspace;
  fs.accessSync(`${cwd}/.`, fs.constants.X_OK);
  if (config.direct) return launchDirectly(run, cwd, ended);
  const { pid, tag, out, err, code, scriptPipe } = readyShell ?? makeReady();
  readyShell = null;
  writeAndClose(scriptPipe, script(run, cwd));
  if (run.stdin) run.input = code;
  else writeAndClose(code, run.code === null ? "" : readable(run.code));
  Object.assign(run, { pid, tag, out: new Output("out", out, run.max_output), err: new Output("err", err, run.max_output) });
}

// The shell's script comes through a pipe: a command line would show every user the variables that it exports. Bun reads
// the program from standard input to its end, so that the program finds it empty.
function script(run, cwd) {
  const { plain, odd } = variables(run);
  const exports = plain.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join("");
  const stdin = run.code === null && !run.stdin ? "</dev/null" : "";
  const exec = `exec 4<&- ${stdin} ${program(run, odd).map(quoted).join(" ")}`;
  return `cd ${quoted(cwd)} || exit 126\nunset OLDPWD SHLVL\n${exports}${exec}\n`;
}

function quoted(text) {
  return `'${String(text).replaceAll("'", `'\\''`)}'`;
}

// The variables that a shell passes on as they are, and the others: some names are its own, some it cannot assign.
function variables(run) {
  const [plain, odd] = [[], []];
  for (const entry of Object.entries(run.env)) {
    (/^[A-Za-z_]\w*$/.test(entry[0]) && !OF_SHELLS.test(entry[0]) ? plain : odd).push(entry);
  }
  return { plain, odd };
}

function program(run, odd) {
  const argv = run.code === null ? [run.shell ?? "/bin/sh", "-c", "--", run.command] : [process.execPath, "-"];
  const assigned = odd.map(([name, value]) => `${name}=${value}`);
  return odd.length ? ["/usr/bin/env", "--", ...assigned, ...argv] : argv;
}

// Bun reads standard input as TSX, in which `<T>(x: T) => x` begins an element. Code that is TypeScript but not TSX becomes
// a module of a program that loads it. Only the imports are scanned: anything more would run the macros of the code here.
function readable(code) {
  if (code.length > LONGEST_SCAN || !ANGLE.test(code) || parses(code, "tsx") || !parses(code, "ts")) return code;
  const module = `() => ({ loader: "ts", contents: ${JSON.stringify(code)} })`;
  return `Bun.plugin({ name: "stdin", setup: (build) => build.module("[stdin]", ${module}) }); await import("[stdin]");`;
}

function parses(code, loader) {
  try {
    new Bun.Transpiler({ loader }).scanImports(code);
    return true;
  } catch {
    return false;
  }
}

// A program may take its time to read, or never do so. No write waits for it: Bun writes with a few threads, and all of
// them could wait at the same time, for programs whose scripts are still to be written. Bun takes an empty script for a
// missing file.
async function writeAndClose(fd, text) {
  await write(fd, text || "\n");
  fs.closeSync(fd);
}

async function write(fd, text) {
  const bytes = Buffer.from(text);
  for (let at = 0, pause = 1; at < bytes.length; ) {
    try {
      at += fs.writeSync(fd, bytes, at);
      pause = 1;
    } catch (error) {
      if (error.code !== "EAGAIN") return; // it ended without reading
      await Bun.sleep(pause);
      pause = Math.min(pause * 2, 64);
    }
  }
}

// Write to the standard input of a run, or close it with null: in order, although a write may wait for the program.
function feed(run, text) {
  const { input } = run;
  if (input === undefined) return;
  if (text === null) run.input = undefined;
  const step = async () => {
    if (!config.direct) return text === null ? fs.closeSync(input) : write(input, text);
    return text === null ? input.end() : (input.write(text), input.flush());
  };
  run.fed = Promise.resolve(run.fed).then(step).catch(() => {}); // it has ended
}

// Without /proc (macOS): no view of grandchildren, and memory figures that include the supervisor's.
function launchDirectly(run, cwd, ended) {
  const [out, err] = [fifo(), fifo()];
  const { plain, odd } = variables(run);
  try {
    const cmd = ["/bin/sh", "-c", DIRECTLY, "sh", String(config.blocks), ...program(run, odd)];
    const env = { ...config.env, PWD: cwd, ...Object.fromEntries(plain) };
    const stdin = run.code === null && !run.stdin ? "ignore" : "pipe";
    const child = Bun.spawn({ cmd, cwd, env, detached: true, stdio: [stdin, out.writer, err.writer] });
    if (run.stdin) run.input = child.stdin;
    else child.stdin?.write(readable(run.code) || "\n"), child.stdin?.end();
    child.exited.then(() => {
      const usage = child.resourceUsage();
      const exit = child.signalCode ? 128 + os.constants.signals[child.signalCode] : child.exitCode;
      ended(run.pid, exit, Number(usage.cpuTime.total) / 1000, Number(usage.maxRSS));
    });
    const [output, errors] = [new Output("out", out.reader, run.max_output), new Output("err", err.reader, run.max_output)];
    Object.assign(run, { pid: child.pid, out: output, err: errors });
  } catch (error) {
    close(out.reader, err.reader);
    throw error;
  } finally {
    close(out.writer, err.writer);
  }
}

function fifo() {
  const path = `${config.scratch}/${process.pid}-${fifos++}`;
  Bun.spawnSync(["mkfifo", "-m", "600", path]);
  try {
    const reader = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    return { reader, writer: fs.openSync(path, "w") };
  } finally {
    fs.unlinkSync(path);
  }
}

// ---- the shell that waits ------------------------------------------------------------------------------------------

// Have a shell wait for the next execution: only while no process of the session is alive that could reach into it.
// It saves a fifth of the time of a short execution.
function prepare() {
  if (readyShell) return;
  try {
    readyShell = makeReady();
  } catch {} // the next execution reports why
}

// Whether one waits, so that no process of an execution is alive.
function hasReadyShell() {
  return readyShell !== null;
}

// Do without the one that waits, if it is this one: it ends with its input.
function discard(pid = readyShell?.pid) {
  if (!readyShell || readyShell.pid !== pid) return;
  close(readyShell.code, readyShell.scriptPipe, readyShell.out, readyShell.err);
  nextTag = readyShell.tag;
  readyShell = null;
}

function makeReady() {
  const pipes = [];
  const pipe = (end, size) => (pipes.push(processes.pipe(end, size)), pipes.at(-1));
  const tag = nextTag--;
  try {
    const [code, scriptPipe, out, err] = [
      pipe("writer", PIPE_SIZE),
      pipe("writer", SMALL_PIPE_SIZE),
      pipe("reader", PIPE_SIZE),
      pipe("reader", SMALL_PIPE_SIZE),
    ];
    const pid = spawn(tag, [code.reader, "pipe", err.writer, out.writer, scriptPipe.reader], err.reader);
    close(code.reader, scriptPipe.reader, out.writer, err.writer);
    return { tag, pid, code: code.writer, scriptPipe: scriptPipe.writer, out: out.reader, err: err.reader };
  } catch (error) {
    close(...pipes.flatMap(({ reader, writer }) => [reader, writer]));
    throw error;
  }
}

function spawn(tag, stdio, errors) {
  const cmd = ["/bin/sh", "-c", READY, "sh", config.blocks, tag, config.processes ?? ""].map(String);
  const env = { ...config.env, PWD: config.workspace };
  spawning = true;
  try {
    const shell = Bun.spawnSync({ cmd, cwd: config.workspace, env, detached: true, stdio });
    const pid = parseInt(shell.stdout.toString(), 10);
    if (pid > 1) return pid;
    throw new Error(new Output("err", errors, 0).read().toString() || "the shell could not start a process");
  } finally {
    spawning = false;
  }
}

function close(...descriptors) {
  for (const fd of descriptors) fs.closeSync(fd);
}

module.exports = { begin, busy, discard, feed, hasReadyShell, isIssued, launch, prepare };
