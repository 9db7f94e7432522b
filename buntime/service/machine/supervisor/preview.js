// The way from outside to the session's own port 8080: a Unix socket in the workspace, to which the host connects.
// Nothing of the host's can be reached from here.
"use strict";
const fs = require("node:fs");
const nodePath = require("node:path");

const PORT = 8080;
const LISTEN = "0A";

// Whether something in the session listens on the port, over IPv4 or IPv6.
function served() {
  return ["tcp", "tcp6"].some((name) => listens(name, PORT));
}

// The table of sockets lists those that listen first. It is read no further, as to find the next socket the kernel goes
// through the connections of the whole machine, which takes milliseconds.
function listens(name, port) {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let table = null;
  try {
    const counts = fs.readFileSync(`/proc/net/sockstat${name.slice(3)}`, "latin1");
    let unread = Number(/^TCP6?: inuse (\d+)/m.exec(counts)?.[1]);
    table = fs.openSync(`/proc/net/${name}`);
    const piece = Buffer.alloc(128);
    for (let rest = ""; unread > 0; ) {
      const size = fs.readSync(table, piece, 0, piece.length, null);
      const lines = (rest + piece.latin1Slice(0, size)).split("\n");
      rest = lines.pop();
      for (const [, local, , state] of lines.map((line) => line.trim().split(/ +/))) {
        if (local === "local_address") continue; // the header
        if (state === LISTEN && local.endsWith(suffix)) return true;
        unread = state === LISTEN ? unread - 1 : 0;
      }
      if (!size) break;
    }
  } catch {
    // without /proc it cannot be known
  } finally {
    if (table !== null) fs.closeSync(table);
  }
  return false;
}

async function open(path) {
  try {
    fs.mkdirSync(nodePath.dirname(path), { recursive: true });
    fs.rmSync(path, { recursive: true, force: true }); // of a supervisor before this one
    Bun.listen({ unix: path, allowHalfOpen: true, socket: { ...carrying, open: connect } });
  } catch (error) {
    console.error(error);
  }
}

// A connection is two sockets and two flows, one each way. A flow holds what its sink has not taken yet; meanwhile its
// source is paused. `last`: the source has ended its half, and so does the sink behind the last byte. `over`: the source
// is closed, and the sink is closed then.
function connect(outside) {
  const inwards = { source: outside, sink: null, unsent: [], paused: false, last: false, over: false };
  const outwards = { source: null, sink: outside, unsent: [], paused: false, last: false, over: false };
  outside.data = { sends: inwards, receives: outwards };
  const data = { sends: outwards, receives: inwards };
  Bun.connect({ hostname: "127.0.0.1", port: PORT, allowHalfOpen: true, socket: carrying, data }).then(
    (inside) => {
      inside.setNoDelay(true);
      inwards.sink = outwards.source = inside;
      move(inwards);
    },
    () => outside.terminate(), // nothing listens
  );
}

const carrying = {
  data({ data: { sends } }, bytes) {
    sends.unsent.push(Buffer.from(bytes));
    move(sends);
  },
  drain: ({ data }) => move(data.receives),
  end({ data: { sends } }) {
    sends.last = true;
    move(sends);
  },
  close({ data: { sends, receives } }) {
    sends.over = true;
    receives.sink = null;
    move(sends);
  },
  error() {}, // a close follows
};

function move(flow) {
  const { source, sink, unsent, last, over } = flow;
  while (sink && unsent.length) {
    const count = Math.max(0, sink.write(unsent[0]));
    unsent[0] = unsent[0].subarray(count);
    if (unsent[0].length) break;
    unsent.shift();
  }
  const waits = unsent.length > 0;
  if (source && !over && waits !== flow.paused) waits ? source.pause() : source.resume();
  flow.paused = waits;
  if (!sink || waits) return;
  if (over) sink.end();
  else if (last) sink.shutdown();
}

module.exports = { listens, open, served };
