// The way from outside to the session's own port 8080: a socket in the workspace, to which the host connects. Nothing
// of the host's can be reached from here.
"use strict";
const fs = require("node:fs");
const net = require("node:net");
const nodePath = require("node:path");

const PORT = 8080;
const LISTENING = new RegExp(`^ *\\d+: [0-9A-F]+:${PORT.toString(16).toUpperCase()} \\S+ 0A `, "m");

// Whether something in the session listens on the port; where there is no /proc, nobody knows.
function served() {
  return ["tcp", "tcp6"].some((name) => {
    try {
      return LISTENING.test(fs.readFileSync(`/proc/net/${name}`, "latin1"));
    } catch {
      return false;
    }
  });
}

function open(path) {
  const server = net.createServer({ allowHalfOpen: true }, (outside) => {
    const inside = net.connect({ host: "127.0.0.1", port: PORT, allowHalfOpen: true, noDelay: true });
    join(outside, inside);
    join(inside, outside);
  });
  return new Promise((resolve) => {
    server.on("error", (error) => resolve(console.error(error)));
    fs.mkdirSync(nodePath.dirname(path), { recursive: true });
    fs.rmSync(path, { recursive: true, force: true }); // of a supervisor before this one
    server.listen(path, resolve);
  }).catch(console.error);
}

function join(from, to) {
  from.pipe(to);
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroySoon());
}

module.exports = { open, served };
