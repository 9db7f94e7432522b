// The processes below the supervisor: how an ended one is waited for, how live ones are found, measured and killed.
"use strict";
const fs = require("node:fs");
const { dlopen } = require("bun:ffi");
const sockets = require("./sockets.js");

const O_CLOEXEC = 0o2000000;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const WNOHANG = 1;
const SIGKILL = 9;
const PR_SET_DUMPABLE = 4;
const PR_SET_CHILD_SUBREAPER = 36;

const status = new Int32Array(1);
const usage = new BigInt64Array(18); // struct rusage: user s, µs, system s, µs, peak KB, ...

let libc;

function openLibc() {
  const symbols = {
    fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
    pipe2: { args: ["ptr", "i32"], returns: "i32" },
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    wait4: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
    getpagesize: { args: [], returns: "i32" },
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  };
  const names = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];
  for (const name of names) {
    try {
      return dlopen(name, symbols).symbols;
    } catch {}
  }
  throw new Error(`none of ${names.join(", ")} can be loaded`);
}

// Orphans come to this process, and none of them can reach into it through /proc/1/fd or /proc/1/mem. Writes to its stdout
// do not wait.
function adopt() {
  libc = openLibc();
  libc.fcntl(1, F_SETFL, fs.constants.O_NONBLOCK);
  libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// A pipe that no child has unless it is given one of its ends. Neither reads nor writes of this process's `end` wait. A
// kernel that refuses the size (a user's pipes are bounded together) has it smaller.
function pipe(end, size) {
  const both = new Int32Array(2);
  if (libc.pipe2(both, O_CLOEXEC)) throw new Error("there are no file descriptors left for a pipe");
  const ends = { reader: both[0], writer: both[1] };
  libc.fcntl(ends[end], F_SETFL, fs.constants.O_NONBLOCK);
  libc.fcntl(ends.writer, F_SETPIPE_SZ, size);
  return ends;
}

// Wait for every child that has ended; times in milliseconds, memory in bytes. Returns whether others are left.
function reap(ended) {
  for (;;) {
    const pid = libc.wait4(-1, status, WNOHANG, usage);
    if (pid <= 0) return pid === 0;
    const signal = status[0] & 127;
    const cpu = Number(usage[0] + usage[2]) * 1000 + Number(usage[1] + usage[3]) / 1000;
    ended(pid, signal ? 128 + signal : (status[0] >> 8) & 255, cpu, Number(usage[4]) * 1024);
  }
}

function readProc(pid, name) {
  try {
    return fs.readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return ""; // it has just ended
  }
}

// Every live process that descends from this one, with its tag: the limit of its resident set in KB, which the launcher
// set; 0 if there is none, null if the process has just ended.
function members() {
  const all = new Map();
  for (const name of fs.readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = readProc(name, "stat");
    if (!line) continue;
    const [state, parent, group] = line.slice(line.lastIndexOf(")") + 2).split(" ");
    all.set(Number(name), { pid: +name, state, parent: +parent, group: +group });
  }
  const descends = (member) => {
    while (member && member.parent !== process.pid) member = all.get(member.parent);
    return member !== undefined;
  };
  const alive = [...all.values()].filter((member) => !"ZX".includes(member.state) && descends(member));
  return alive.map((member) => ({ ...member, tag: tagOf(member.pid) }));
}

function tagOf(pid) {
  const limits = readProc(pid, "limits");
  const limit = /^Max resident set +(\d+)/m.exec(limits);
  return limit ? Number(BigInt(limit[1]) / 1024n) : limits ? 0 : null;
}

// The memory of processes together, in bytes: of shared pages, each process counts its part. Resident sizes are quicker
// to read and never smaller, so up to `most` they are enough.
function memoryOf(several, most) {
  const resident = several.map(({ pid }) => (+readProc(pid, "statm").split(" ")[1] || 0) * libc.getpagesize());
  const sum = resident.reduce((one, other) => one + other, 0);
  if (sum <= most) return sum;
  const shares = several.map(({ pid }, index) => {
    const share = /^Pss: +(\d+)/m.exec(readProc(pid, "smaps_rollup"));
    return share ? share[1] * 1024 : resident[index]; // a process can forbid to read it
  });
  return shares.reduce((one, other) => one + other, 0);
}

// The memory of temporary file systems, of shared memory that no process has attached, and of sockets, unless they are
// those of the host.
function memoryWithoutProcess(folders, hasSockets) {
  let sum = hasSockets ? sockets.waiting(libc) : 0;
  for (const folder of folders) {
    const { blocks, bfree, bsize } = fs.statfsSync(folder);
    sum += (blocks - bfree) * bsize;
  }
  if (!folders.length) return sum;
  for (const line of readProc("sysvipc", "shm").split("\n").slice(1)) {
    const fields = line.trim().split(/ +/);
    if (fields[6] === "0") sum += Number(fields[14]);
  }
  return sum;
}

function kill(target, signal = SIGKILL) {
  try {
    process.kill(target, signal);
  } catch {} // it has just ended
}

// Kill the processes that `chosen` picks until none is left, however fast they fork. A process group dies at one
// stroke, and never spans two executions, since each leads its own session. Returns the pids.
function sweep(chosen, { groups = true } = {}) {
  const pids = new Set();
  const until = performance.now() + 2000;
  for (;;) {
    const alive = members().filter(chosen);
    if (!alive.length || performance.now() > until) return [...pids];
    for (const { group } of alive) if (groups && group > 1 && group !== process.pid) kill(-group);
    for (const { pid } of alive) {
      kill(pid);
      pids.add(pid);
    }
    Bun.sleepSync(1);
  }
}

module.exports = { adopt, kill, members, memoryOf, memoryWithoutProcess, pipe, reap, sweep };
