// The way from outside to the session's own port 8080: a socket in the workspace, to which the host connects. Nothing
// of the host's can be reached from here. What the host sends comes in parts, each behind its length in two bytes; an
// empty one says that all was sent, as Bun 1.3 closes a Unix socket whole when the other side ends its own half.
"use strict";
const fs = require("node:fs");
const { listens } = require("./listening.js");
const net = require("node:net");
const nodePath = require("node:path");
const { Duplex, Transform } = require("node:stream");

const PORT = 8080;
const HELD = 64 * 1024 * 1024;

// Whether something in the session listens on the port.
function served() {
  return listens(PORT);
}

function open(path) {
  const server = net.createServer((outside) => carry(outside).catch(() => outside.destroy()));
  return new Promise((resolve) => {
    server.on("error", (error) => resolve(console.error(error)));
    fs.mkdirSync(nodePath.dirname(path), { recursive: true });
    fs.rmSync(path, { recursive: true, force: true }); // of a supervisor before this one
    server.listen(path, resolve);
  }).catch(console.error);
}

async function carry(outside) {
  outside.on("error", () => outside.destroy());
  const sent = outside.pipe(parts(), { end: false }); // at once: Bun 1.3 loses what nobody listens for
  const inside = await connect();
  outside.on("close", () => inside.destroy());
  inside.on("close", () => outside.destroySoon());
  if (outside.destroyed) inside.destroy();
  sent.pipe(inside).pipe(outside);
}

function parts() {
  let rest = Buffer.alloc(0);
  return new Transform({
    transform(bytes, _, done) {
      rest = Buffer.concat([rest, bytes]);
      for (let end; rest.length >= 2 && rest.length >= (end = 2 + rest.readUInt16BE()); rest = rest.subarray(end)) {
        this.push(end > 2 ? rest.subarray(2, end) : null);
      }
      done();
    },
  });
}

// A connection to the port, as a stream. One of node:net hears nothing in Bun 1.3 once it has ended its own half.
async function connect() {
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: PORT,
    allowHalfOpen: true,
    socket: {
      open: (socket) => (socket.data = streamOf(socket)),
      data: (socket, bytes) => socket.data.push(bytes) || (mayWait(socket.data) && socket.pause()),
      drain: (socket) => socket.data.emit("room"),
      end: (socket) => socket.data.push(null),
      close: ({ data: stream }) => {
        stream.emit("room");
        stream.push(null);
        if (stream.readableEnded) stream.destroy();
        else stream.on("end", () => stream.destroy());
      },
    },
  });
  socket.setNoDelay(true);
  return socket.data;
}

// In Bun 1.3 a connection that is paused when both halves have ended loses what is still to be read.
function mayWait(stream) {
  return !stream.writableFinished || stream.readableLength > HELD;
}

function streamOf(socket) {
  return new Duplex({
    read: () => socket.resume(),
    write: (bytes, _, done) => send(socket, bytes, done),
    final(done) {
      socket.shutdown();
      socket.resume();
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
}

// What nobody takes any more counts as sent: the answer may still be under way.
function send(socket, bytes, done) {
  const count = socket.write(bytes);
  if (count < 0 || count === bytes.length) return done();
  socket.data.once("room", () => send(socket, bytes.subarray(count), done));
}

module.exports = { open, served };
