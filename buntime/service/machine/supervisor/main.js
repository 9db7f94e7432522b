// Runs the executions of one session and ends what they leave behind. It reads and writes JSON lines over stdin and
// stdout; when stdin ends, so does everything started here. In a sandbox it is process 1 of the pid namespace.
//
// It is sent `start` first, then, each with the id of an execution, `run`, `ack` (so much of its output was taken) and
// `drop` (its output is not read any more), `feed` (standard input, null for its end) and `signal`, and `kill` and
// `count`, to which it replies. Of an execution it sends `out` and `err`, `serving` once something listens on the
// session's port, and last `exit` with the figures, and with output that is short and was not streamed.
"use strict";
const fs = require("node:fs");
const launching = require("./launch.js");
const preview = require("./preview.js");
const processes = require("./processes.js");

const MB = 1024 * 1024;
const WINDOW = MB / 2; // how much of an execution's output may be under way to its reader
const LOOK_FOR_SERVER = 100;
const LONGEST_TIMER = 2 ** 31 - 1;

let config;
let stopping = false;
let memoryTimer = null;
let previewReady = null; // settles when connections to the session's port can come in
const running = new Map(); // pid of the leader -> execution
const reporting = new Map(); // id -> execution whose result is not sent yet

// ---- talking -------------------------------------------------------------------------------------------------------

// One write at a time, which does not wait: a reader who is slow, or writes to us meanwhile, must not stop the clock.
const outbox = { lines: [], writing: null };

function send(message) {
  outbox.lines.push((typeof message === "string" ? message : JSON.stringify(message)) + "\n");
  outbox.writing ??= writeOut();
  return outbox.writing;
}

async function writeOut() {
  await null; // so that messages sent together leave in one write
  while (outbox.lines.length) {
    const bytes = Buffer.from(outbox.lines.splice(0).join(""));
    for (let at = 0; at < bytes.length; ) {
      const [error, count] = config?.direct ? await writeInThread(bytes, at) : writeNow(bytes, at);
      if (error && error.code !== "EAGAIN") return stop(false);
      if (error) await Bun.sleep(1);
      else at += count;
    }
  }
  outbox.writing = null;
}

function writeNow(bytes, at) {
  try {
    return [null, fs.writeSync(1, bytes, at)];
  } catch (error) {
    return [error];
  }
}

function writeInThread(bytes, at) {
  return new Promise((resolve) => fs.write(1, bytes, at, bytes.length - at, null, (...it) => resolve(it)));
}

// Not by process.stdin, which takes longer to load than all the rest of this program.
async function listen() {
  process.on("uncaughtException", (error) => {
    console.error(error);
    stop(false);
  });
  const decoder = new TextDecoder();
  let pending = [];
  for await (const bytes of Bun.stdin.stream()) {
    const lines = decoder.decode(bytes, { stream: true }).split("\n");
    for (const rest of lines.slice(0, -1)) {
      receive(JSON.parse(pending.join("") + rest));
      pending = [];
    }
    pending.push(lines.at(-1));
  }
}

function receive(message) {
  const { op, id } = message;
  if (stopping) return;
  if (op === "start") start(message);
  else if (op === "run") execute(message);
  else if (op === "ack") advance(reporting.get(id), { credit: message.size });
  else if (op === "drop") advance(reporting.get(id), { credit: 0, dropped: true });
  else if (op === "feed") reporting.has(id) && launching.feed(reporting.get(id), message.text);
  else if (op === "signal") signalRun(reporting.get(id), message);
  else if (op === "kill") send({ id, pids: message.pid === null ? sweep() : killOne(message.pid) });
  else if (op === "count") send({ id, count: config.direct ? running.size : members().length });
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
    await Promise.race([Promise.all([...reporting.values()].map((run) => run.reported)), Bun.sleep(3000)]);
    sweep();
  }
  if (config?.scratch) fs.rmSync(config.scratch, { recursive: true, force: true });
  process.exit(0);
}

// ---- one execution -------------------------------------------------------------------------------------------------

// An execution is running until its leader has ended, then has a result, and is over when that is sent. Meanwhile its
// pipes are read: for a stream only as far as the reader has credit, so that the program waits for a slow reader; else
// always, and the halves that were kept are sent with the result.
function execute(message) {
  const run = { credit: WINDOW, ...message, started: performance.now(), over: null, result: null, dropped: false };
  try {
    if (!config.direct) processes.reap(ended); // a shell that waited may have died
    launching.launch(run, ended);
  } catch (error) {
    send({ id: run.id, err: `buntime: cannot start the execution: ${error.message}\n`, size: 0 });
    return send({ id: run.id, exit: 126, wall: 0, cpu: 0, memory: 0, over: null });
  }
  running.set(run.pid, run);
  reporting.set(run.id, run);
  run.looking = setInterval(() => lookForServer(run), LOOK_FOR_SERVER);
  run.timer = setTimeout(() => killForTimeout(run), Math.min(run.timeout * 1000, LONGEST_TIMER));
  run.reported = report(run);
  if (!config.direct) {
    watchMemory(config.memory);
    processes.reap(ended);
  }
}

function ended(pid, exit, cpu, memory) {
  const run = running.get(pid);
  if (!run) return launching.discard(pid); // or it was an orphan
  running.delete(pid);
  clearTimeout(run.timer);
  clearInterval(run.looking);
  if (!config.direct && memory > config.memory) run.over ??= "memory";
  const wall = performance.now() - run.started;
  run.result = { id: run.id, exit, wall, cpu, memory: Math.max(memory, run.used ?? 0), over: run.over };
  run.wake?.();
}

async function report(run) {
  for (let pause = 2; !run.result; ) {
    await rest(run, pause);
    pause = (await forward(run)) ? 1 : Math.min(pause * 2, 16);
    if (!config.direct) processes.reap(ended); // SIGCHLD may have come while one was being started
  }
  launching.feed(run, null);
  await forward(run);
  const outputs = [run.out, run.err];
  for (const output of outputs) {
    if (!run.stream && output.blocks.length < 2) {
      run.result[output.kind] = output.text();
      continue;
    }
    for (const piece of run.stream ? [output.rest()] : output.pieces()) {
      if (run.credit <= 0) await creditFor(run);
      sendOutput(run, output.kind, piece);
    }
  }
  if (leavesSomething()) await openPreview();
  // Without a sandbox, other programs of the user may do the work of one.
  const noProcessLeft = !config.scratch && !processes.reap(ended);
  const sent = send({ ...run.result, serving: previewReady !== null, no_process_left: noProcessLeft });
  await null; // the write comes first
  for (const output of outputs) output.drain();
  await sent;
  reporting.delete(run.id);
  if (stopping || running.size || config.direct || processes.reap(ended)) return;
  clearTimeout(memoryTimer);
  memoryTimer = null;
  launching.prepare();
}

function rest(run, milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    run.wake = () => (clearTimeout(timer), resolve());
  });
}

function advance(run, { credit, dropped = false }) {
  if (!run) return;
  run.credit += credit;
  run.dropped ||= dropped;
  if (dropped) run.stream = false;
  run.wake?.();
}

// Move what the pipes hold now, and no more: a process that outlives the execution may write without end. Of a stream,
// first comes the output that was last written to before the other. Both are read before their times are compared, and
// twice: the program may write to both between any two steps here.
async function forward(run) {
  const time = (output) => fs.fstatSync(output.reader, { bigint: true }).mtimeNs;
  const outputs = [run.out, run.err];
  if (run.stream && run.credit > 0) {
    for (const output of [run.out, run.err, run.out, run.err]) output.ahead ??= output.next();
    if (run.out.ahead && run.err.ahead && time(run.err) < time(run.out)) outputs.reverse();
  }
  let moved = false;
  for (const output of outputs) {
    for (let size, most = MB; most > 0; most -= size) {
      if (run.stream && run.credit <= 0 && !run.result) return moved;
      const piece = run.stream ? (output.ahead ?? output.next()) : null;
      output.ahead = null;
      size = run.stream ? (piece?.size ?? 0) : output.collect();
      if (!size) break;
      if (!moved && (run.stream || running.size)) await lookForServer(run); // its reader can then reach the server
      moved = true;
      if (!piece) continue;
      if (run.credit <= 0) await creditFor(run);
      sendOutput(run, output.kind, piece);
    }
  }
  return moved;
}

// Settles when the reader of a run's output has credit, or is gone.
async function creditFor(run) {
  while (run.credit <= 0 && !run.dropped) await rest(run, LONGEST_TIMER);
}

// Send a piece of output, if it still has a reader. What is being written is bounded by the credit, so the write is not
// waited for: the last output and the result leave in one write.
function sendOutput(run, kind, { text, size }) {
  if (!text || run.dropped) return;
  run.credit -= size;
  send({ id: run.id, [kind]: text, size });
}

// ---- letting connections in ----------------------------------------------------------------------------------------

// The host listens for a session only when there may be a server to reach: in a running execution, or in a process that
// outlived one.
function openPreview() {
  previewReady ??= config.preview_socket ? preview.open(`${config.workspace}/${config.preview_socket}`) : Promise.resolve();
  return previewReady;
}

// Settles when the host was sent that something listens, whichever execution found it.
async function lookForServer(run) {
  if (run.announced || !(previewReady || preview.served())) return;
  await openPreview();
  run.announced = true;
  send({ id: run.id, serving: true });
}

function leavesSomething() {
  if (config.direct) return true; // processes that outlive an execution are not known here
  if (previewReady || !processes.reap(ended)) return false;
  return members().some(({ pid, parent }) => parent === process.pid && !running.has(pid));
}

// ---- ending it -----------------------------------------------------------------------------------------------------

function killForTimeout(run) {
  if (!running.has(run.pid)) return;
  run.over ??= "time";
  if (config.direct) processes.kill(-run.pid);
  else processes.sweep((member) => ownedBy(run, member));
}

// Send a signal to the first process of a run, or to all that it started.
function signalRun(run, { signal, group }) {
  if (!run || !running.has(run.pid)) return;
  if (config.direct) processes.kill(group ? -run.pid : run.pid, signal);
  else if (group && signal === "SIGKILL") processes.sweep((member) => ownedBy(run, member));
  else if (group) for (const member of members()) ownedBy(run, member) && processes.kill(member.pid, signal);
  else processes.kill(run.pid, signal);
}

// A tag that was never given out was set by a program to hide: its processes belong to every execution.
function ownedBy(run, { pid, tag }) {
  return pid === run.pid || tag === run.tag || (tag !== null && !launching.isIssued(tag));
}

// The processes of executions. A shell waits for the next one only while there are none.
function members() {
  return launching.hasReadyShell() ? [] : processes.members();
}

function sweep() {
  if (!config || launching.hasReadyShell()) return [];
  if (!config.direct) return processes.sweep(() => true);
  return [...running.keys()].map((pid) => (processes.kill(-pid), pid));
}

function killOne(pid) {
  if (launching.hasReadyShell()) return [];
  if (!config.direct) return processes.sweep((member) => member.pid === pid, { groups: false });
  if (!running.has(pid)) return [];
  processes.kill(pid);
  return [pid];
}

// The next check comes before the fastest writer could use up the rest. An address space limit (RLIMIT_AS) would not do:
// Bun reserves far more than it uses, how much depends on its version, and some limits keep it from starting.
function watchMemory(headroom) {
  if (memoryTimer || stopping) return;
  memoryTimer = setTimeout(checkMemory, Math.max(10, Math.min(250, headroom / (8 * MB))));
}

// A session's memory is that of all its processes, and memory that outlives processes.
function checkMemory() {
  memoryTimer = null;
  const everyone = members();
  if (!everyone.length) return;
  const unowned = processes.memoryWithoutProcess(config.temporary, config.has_sockets);
  const used = unowned + processes.memoryOf(everyone, config.memory - unowned);
  if (used > config.memory) endForMemory(everyone, used);
  watchMemory(config.memory - used);
}

// End the execution that uses most; if that is the processes that belong to every execution, end all.
function endForMemory(everyone, used) {
  const groups = new Map();
  for (const member of everyone) {
    const tag = launching.isIssued(member.tag) ? member.tag : null;
    groups.set(tag, [...(groups.get(tag) ?? []), member]);
  }
  const sizes = [...groups].map(([tag, several]) => [processes.memoryOf(several, 0), tag]);
  const [, largest] = sizes.sort(([one], [other]) => other - one)[0];
  const runs = [...running.values()].filter(({ tag }) => largest === null || tag === largest);
  for (const run of runs) Object.assign(run, { over: run.over ?? "memory", used });
  processes.sweep((member) => member.tag === largest || runs.some((run) => ownedBy(run, member)));
}

listen().catch(console.error).finally(() => stop(false));
