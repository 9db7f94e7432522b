// How the program of an execution is started: by a shell that was made ready for it, and is then told which program.
"use strict";
const fs = require("node:fs");
const os = require("node:os");
const processes = require("./processes.js");

// The shell that waits is one whose parent shell has gone, so that it is a child of nobody but this process: a child
// started directly would report at least this process's own memory as its peak. It looks for that: a killed shell that
// is not scheduled at once could still reap a short program in its last wait. The resident set limit, which Linux
// accepts and ignores, marks whatever an execution starts: it is inherited for ever and can only be lowered.
const READY = `
ulimit -c 0; ulimit -f "$1" 2>/dev/null; ulimit -m "$2" 2>/dev/null
[ -z "$3" ] || ulimit -u "$3" 2>/dev/null || ulimit -p "$3" 2>/dev/null
( read -r p _ </proc/self/stat; echo "$p"; kill -9 $$
while read -r _ _ _ parent _ </proc/self/stat && [ "$parent" = $$ ]; do :; done
exec >&3 3>&-
. /proc/self/fd/4 ); :`;
const OF_SHELLS = new RegExp(
  "^(BASH.*|CDPATH|COMP_.*|DIRSTACK|E?UID|ENV|EPOCH.*|FUNCNAME|GLOBIGNORE|GROUPS|HIST.*|IFS|LANG|LC_.*|LINENO|MAIL.*" +
    "|OLDPWD|OPT(ARG|ERR|IND)|PIPESTATUS|POSIXLY_CORRECT|PPID|PS\\d|PWD|S?RANDOM|SECONDS|SHELLOPTS|SHLVL" +
    "|TEXTDOMAIN.*|TIMEFORMAT|TMOUT|_)$",
);
const DIRECTLY = `ulimit -c 0; ulimit -f "$1" 2>/dev/null; shift; exec "$@"`;

let config;
let files = 0;
let spawning = false;
let waiting = null;

function begin(given) {
  config = given;
}

// Whether a child is just being started, which is then Bun's to wait for.
function busy() {
  return spawning;
}

// ---- the program ---------------------------------------------------------------------------------------------------

// Start the program of `run`, and give `run` its pid, its tag and its outputs. Its end is seen by who waits for
// children; where there is no /proc, `ended` is called.
function launch(run, ended) {
  const cwd = run.cwd ? `${config.workspace}/${run.cwd}` : config.workspace;
  if (!fs.statSync(cwd).isDirectory()) throw new Error(`${cwd} is not a directory`);
  fs.accessSync(cwd, fs.constants.X_OK);
  if (config.direct) launchDirectly(run, cwd, ended);
  else order(run, cwd);
}

function order(run, cwd) {
  const shell = waiting ?? makeReady();
  waiting = null;
  try {
    write(shell.code, run.code);
    fs.writeFileSync(shell.orders.writer, orders(run, cwd));
  } catch (error) {
    close(shell.out.fd, shell.err.fd);
    throw error;
  } finally {
    close(shell.code.writer, shell.orders.writer);
  }
  Object.assign(run, { pid: shell.pid, tag: shell.tag, out: shell.out, err: shell.err });
}

// What the shell is told comes through a pipe: what it exports is in no command line, which everybody could read.
function orders(run, cwd) {
  const { plain } = variables(run);
  const exports = plain.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join("");
  const stdin = run.code === null ? "</dev/null" : "";
  const exec = `exec 4<&- ${stdin} ${program(run).map(quoted).join(" ")}`;
  return `cd ${quoted(cwd)} || exit 126\nunset OLDPWD SHLVL\n${exports}${exec}\n`;
}

function quoted(text) {
  return `'${String(text).replaceAll("'", `'\\''`)}'`;
}

// Those that a shell passes on as they are, and the others: it has variables of its own, and cannot assign every name.
function variables(run) {
  const [plain, odd] = [[], []];
  for (const entry of Object.entries(run.env)) {
    (/^[A-Za-z_]\w*$/.test(entry[0]) && !OF_SHELLS.test(entry[0]) ? plain : odd).push(entry);
  }
  return { plain, odd };
}

function program(run) {
  const argv = run.code === null ? ["/bin/sh", "-c", "--", run.command] : [process.execPath, "-"];
  const odd = variables(run).odd.map(([name, value]) => `${name}=${value}`);
  return odd.length ? ["/usr/bin/env", "--", ...odd, ...argv] : argv;
}

// Where there is no /proc (macOS): no view of grandchildren, and memory figures that include the supervisor's.
function launchDirectly(run, cwd, ended) {
  const code = input();
  try {
    write(code, run.code);
    run.out = output("out");
    run.err = output("err");
    const cmd = ["/bin/sh", "-c", DIRECTLY, "sh", String(config.blocks), ...program(run)];
    const env = { ...config.env, PWD: cwd, ...Object.fromEntries(variables(run).plain) };
    const stdin = run.code === null ? "ignore" : code.reader;
    const child = Bun.spawn({ cmd, cwd, env, detached: true, stdio: [stdin, run.out.fd, run.err.fd] });
    run.pid = child.pid;
    child.exited.then(() => {
      const usage = child.resourceUsage();
      const exit = child.signalCode ? 128 + os.constants.signals[child.signalCode] : child.exitCode;
      ended(run.pid, exit, Number(usage.cpuTime.total) / 1000, Number(usage.maxRSS));
    });
  } catch (error) {
    close(run.out?.fd, run.err?.fd);
    throw error;
  } finally {
    close(code.reader, code.writer);
  }
}

// ---- the shell that waits ------------------------------------------------------------------------------------------

// Have a shell wait for the next execution: only while no process of the session is alive that could reach into it.
function prepare() {
  if (waiting) return;
  try {
    waiting = makeReady();
  } catch {} // who needs one next is told why
}

// Whether one waits, so that no process of an execution is alive.
function isWaiting() {
  return waiting !== null;
}

// Do without the one that waits, if it is this one: without orders, it ends.
function discard(pid = waiting?.pid) {
  if (!waiting || waiting.pid !== pid) return;
  const { tag, code, orders, out, err } = waiting;
  close(code.writer, orders.writer, out.fd, err.fd);
  config.tag = tag;
  waiting = null;
}

function makeReady() {
  const shell = { tag: config.tag-- };
  try {
    shell.code = input();
    shell.orders = processes.pipe();
    shell.out = output("out");
    shell.err = output("err");
    shell.pid = spawn(shell);
    return shell;
  } catch (error) {
    close(shell.code?.writer, shell.orders?.writer, shell.out?.fd, shell.err?.fd);
    throw error;
  } finally {
    close(shell.code?.reader, shell.orders?.reader);
  }
}

function spawn({ tag, code, orders, out, err }) {
  const cmd = ["/bin/sh", "-c", READY, "sh", config.blocks, tag, config.processes ?? ""].map(String);
  const env = { ...config.env, PWD: config.workspace };
  const stdio = [code.reader, "pipe", err.fd, out.fd, orders.reader];
  spawning = true;
  try {
    const pid = parseInt(Bun.spawnSync({ cmd, cwd: config.workspace, env, detached: true, stdio }).stdout.toString(), 10);
    if (pid > 1) return pid;
    throw new Error(fs.readFileSync(err.fd, "utf8") || "the shell could not start a process");
  } finally {
    spawning = false;
  }
}

// ---- its files -----------------------------------------------------------------------------------------------------

function scratchFile(flags) {
  const path = `${config.scratch}/${process.pid}-${files++}`;
  return [path, fs.openSync(path, flags, 0o600)];
}

function output(kind) {
  const [path, fd] = scratchFile("ax+");
  fs.unlinkSync(path);
  return { kind, fd, position: 0, decoder: new TextDecoder("utf-8", { ignoreBOM: true }) };
}

function input() {
  const [path, writer] = scratchFile("wx");
  try {
    return { writer, reader: fs.openSync(path, "r") };
  } catch (error) {
    close(writer);
    throw error;
  } finally {
    fs.unlinkSync(path);
  }
}

function write({ writer }, code) {
  if (code !== null) fs.writeFileSync(writer, code || "\n"); // bun takes an empty script for a missing file
}

function close(...descriptors) {
  for (const fd of descriptors) if (fd !== undefined) fs.closeSync(fd);
}

module.exports = { begin, busy, discard, isWaiting, launch, prepare };
