// Runs the executions of one session and ends what they leave behind. Spoken to in JSON lines over stdin and stdout;
// when stdin ends, so does everything started here. In a sandbox it is process 1 of its own pid namespace.
"use strict";
const fs = require("node:fs");
const launching = require("./launching.js");
const preview = require("./preview.js");
const processes = require("./processes.js");

const CHUNK = 64 * 1024;
const MB = 1024 * 1024;
const LOOK_FOR_SERVER = 100;
const LONGEST_TIMER = 2 ** 31 - 1;

let config;
let stopping = false;
let watching = null;
let door = null; // settles when connections to the session's port can come in
const running = new Map(); // pid of the leader -> execution
const reporting = new Set(); // executions whose result is not sent yet

// ---- talking -------------------------------------------------------------------------------------------------------

// One write at a time, off this thread: a reader who is slow, or writes to us meanwhile, must not stop the clock.
const outbox = { lines: [], writing: null };

function send(message) {
  outbox.lines.push(JSON.stringify(message) + "\n");
  outbox.writing ??= writeOut();
  return outbox.writing;
}

async function writeOut() {
  await null; // so that what is sent in one go leaves in one write
  while (outbox.lines.length) {
    const bytes = Buffer.from(outbox.lines.splice(0).join(""));
    for (let at = 0; at < bytes.length; ) {
      const [error, count] = await new Promise((resolve) => fs.write(1, bytes, at, bytes.length - at, null, (...it) => resolve(it)));
      if (error && error.code !== "EAGAIN") return stop(false);
      if (error) await Bun.sleep(1); // once a preview was connected to, Bun has the pipe not wait for its reader
      else at += count;
    }
  }
  outbox.writing = null;
}

function listen() {
  const decoder = new TextDecoder();
  let pending = [];
  process.on("uncaughtException", (error) => {
    console.error(error);
    stop(false);
  });
  process.stdin.on("error", () => stop(false));
  process.stdin.on("end", () => stop(false));
  process.stdin.on("data", (bytes) => {
    const lines = decoder.decode(bytes, { stream: true }).split("\n");
    for (const rest of lines.slice(0, -1)) {
      receive(JSON.parse(pending.join("") + rest));
      pending = [];
    }
    pending.push(lines.at(-1));
  });
}

function receive(message) {
  if (stopping) return;
  if (message.op === "start") start(message);
  else if (message.op === "run") execute(message);
  else if (message.op === "kill") send({ id: message.id, pids: message.pid === null ? sweep() : killOne(message.pid) });
  else if (message.op === "count") send({ id: message.id, count: alive() });
  else if (message.op === "stop") stop(true);
}

function start(message) {
  config = message;
  launching.begin(config);
  if (!config.direct) {
    processes.adopt();
    process.on("SIGCHLD", () => launching.busy() || processes.reap(ended));
  }
  setTimeout(() => stop(true), Math.min(config.lifetime * 1000, LONGEST_TIMER));
}

async function stop(politely) {
  if (stopping) return;
  stopping = true;
  launching.discard();
  sweep();
  if (politely) {
    if (!config.direct) processes.reap(ended);
    await Promise.race([Promise.all([...reporting].map((run) => run.reported)), Bun.sleep(3000)]);
    sweep();
  }
  if (config?.disposable) fs.rmSync(config.scratch, { recursive: true, force: true });
  process.exit(0);
}

// ---- starting an execution -----------------------------------------------------------------------------------------

function execute(message) {
  const run = { ...message, started: performance.now(), over: null };
  run.ended = new Promise((resolve) => (run.end = resolve));
  try {
    if (!config.direct) processes.reap(ended); // a shell that waited may have died
    launching.launch(run, ended);
  } catch (error) {
    send({ id: run.id, err: `buntime: cannot start the execution: ${error.message}\n` });
    return send({ id: run.id, exit: 126, wall: 0, cpu: 0, memory: 0, over: null });
  }
  running.set(run.pid, run);
  reporting.add(run);
  run.looking = setInterval(() => lookForServer(run), LOOK_FOR_SERVER);
  run.timer = setTimeout(() => strike(run), Math.min(run.timeout * 1000, LONGEST_TIMER));
  run.reported = report(run);
  if (!config.direct) {
    watchMemory(config.memory);
    processes.reap(ended);
  }
}

// ---- following it to its end ---------------------------------------------------------------------------------------

function ended(pid, exit, cpu, memory) {
  const run = running.get(pid);
  if (!run) return launching.discard(pid); // or it was an orphan
  running.delete(pid);
  clearTimeout(run.timer);
  clearInterval(run.looking);
  if (!config.direct && memory > config.memory) run.over ??= "memory";
  const wall = performance.now() - run.started;
  run.end({ id: run.id, exit, wall, cpu, memory: Math.max(memory, run.used ?? 0), over: run.over });
}

async function report(run) {
  let result = null;
  run.ended.then((it) => (result = it));
  for (let pause = 2; !result; ) {
    pause = run.stream && (await forward(run)) ? 2 : Math.min(pause * 2, 16);
    await Promise.race([run.ended, Bun.sleep(pause)]);
    if (!config.direct) processes.reap(ended); // where SIGCHLD came while one was being started
  }
  await forward(run);
  for (const { kind, fd, decoder } of [run.out, run.err]) {
    const rest = decoder.decode();
    if (rest) send({ id: run.id, [kind]: rest });
    fs.closeSync(fd);
  }
  if (leavesSomething()) await openDoor();
  await send({ ...result, serving: door !== null });
  reporting.delete(run);
  if (!stopping && !running.size && !config.direct && !processes.reap(ended)) launching.prepare();
}

// How far both outputs are at one moment, and first the one that was last written to before the other.
function written({ out, err }) {
  const look = (one) => ({ one, ...statsOf(one.fd) });
  for (let tries = 1; ; tries++) {
    const [first, second] = [look(out), look(err)];
    if (tries < 5 && statsOf(out.fd).size !== first.size) continue;
    return second.time < first.time ? [second, first] : [first, second];
  }
}

function statsOf(fd) {
  const { size, mtimeNs } = fs.fstatSync(fd, { bigint: true });
  return { size: Number(size), time: mtimeNs };
}

// Up to what is there now: a process left running may go on writing for ever.
async function forward(run) {
  let moved = false;
  for (const { one, size } of written(run)) {
    while (one.position < size) {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size - one.position));
      const count = fs.readSync(one.fd, buffer, 0, buffer.length, one.position);
      if (!count) break; // it was truncated
      if (!moved && (run.stream || running.size)) await lookForServer(run); // so that who reads of a server can reach it
      moved = true;
      one.position += count;
      const text = one.decoder.decode(buffer.subarray(0, count), { stream: true });
      const sent = text ? send({ id: run.id, [one.kind]: text }) : null;
      if (one.position < size) await sent; // of a large output a part at a time is in memory
    }
  }
  return moved;
}

// ---- letting connections in ----------------------------------------------------------------------------------------

// The host listens for a session only when there may be something to reach: a server in a running execution, or what
// an ended one has left running.
function openDoor() {
  door ??= config.door ? preview.open(config.door) : Promise.resolve();
  return door;
}

// Settles when the host has been told of a server that was found, whoever found it.
async function lookForServer(run) {
  if (run.telling || door || preview.served()) await (run.telling ??= tellOfServer(run));
}

async function tellOfServer(run) {
  await openDoor();
  send({ id: run.id, serving: true });
}

function leavesSomething() {
  if (config.direct) return true; // what an execution left is not known here
  if (door || !processes.reap(ended)) return false;
  return members().some(({ pid, parent }) => parent === process.pid && !running.has(pid));
}

// ---- ending it -----------------------------------------------------------------------------------------------------

function strike(run) {
  if (!running.has(run.pid)) return;
  run.over ??= "time";
  if (config.direct) processes.kill(-run.pid);
  else processes.sweep((member) => ownedBy(run, member));
}

// A tag that was never given out was lowered to hide: whoever's limit strikes next, it goes too.
function ownedBy(run, member) {
  const tag = processes.tagOf(member);
  return member.pid === run.pid || tag === run.tag || (tag > 0 && tag <= config.tag);
}

// The processes of executions. A shell waits for the next one only while there are none.
function members() {
  return launching.isWaiting() ? [] : processes.members();
}

function alive() {
  return config.direct ? running.size : members().length;
}

function sweep() {
  if (!config || launching.isWaiting()) return [];
  if (!config.direct) return processes.sweep(() => true);
  return [...running.keys()].map((pid) => (processes.kill(-pid), pid));
}

function killOne(pid) {
  if (launching.isWaiting()) return [];
  if (!config.direct) return processes.killOne(pid);
  if (!running.has(pid)) return [];
  processes.kill(pid);
  return [pid];
}

// Looks again before the fastest writer could use up what is left. An address space limit (RLIMIT_AS) would not do:
// Bun reserves far more than it uses, how much depends on its version, and some limits keep it from starting.
function watchMemory(headroom) {
  if (watching || stopping) return;
  watching = setTimeout(checkMemory, Math.max(10, Math.min(250, headroom / (8 * MB))));
}

function checkMemory() {
  watching = null;
  const byTag = new Map();
  for (const member of members()) {
    const tag = processes.tagOf(member);
    byTag.set(tag, [...(byTag.get(tag) ?? []), member]);
  }
  let most = 0;
  for (const [tag, several] of byTag) {
    const used = processes.memoryOf(several);
    most = Math.max(most, used);
    if (used > config.memory) endForMemory(tag, used);
  }
  if (byTag.size) watchMemory(config.memory - most);
}

function endForMemory(tag, used) {
  for (const run of running.values()) if (run.tag === tag) Object.assign(run, { over: run.over ?? "memory", used });
  processes.sweep((member) => processes.tagOf(member) === tag);
}

listen();
