// Whether something listens on a TCP port of this network namespace. The kernel is asked for listening sockets alone
// (sock_diag(7)): to make /proc/net/tcp it walks the whole machine's table of connections, which takes milliseconds.
"use strict";
const fs = require("node:fs");
const { dlopen } = require("bun:ffi");

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x301;
const NLMSG_DONE = 3;
const IPPROTO_TCP = 6;
const TCP_LISTEN = 10;
const MSG_DONTWAIT = 0x40;

let kernel = null; // the socket to ask through, and the functions to do it; false where that cannot be

function open() {
  const symbols = {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  };
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]) {
    try {
      const libc = dlopen(name, symbols).symbols;
      const socket = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
      return socket < 0 ? false : { libc, socket };
    } catch {}
  }
  return false;
}

function question(family, port) {
  const bytes = Buffer.alloc(72); // struct nlmsghdr, then struct inet_diag_req_v2
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  bytes.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
  bytes.writeUInt8(family, 16);
  bytes.writeUInt8(IPPROTO_TCP, 17);
  bytes.writeUInt32LE(1 << TCP_LISTEN, 20);
  bytes.writeUInt16BE(port, 24);
  return bytes;
}

// True or false; null where the kernel does not say.
function asked(family, port) {
  const { libc, socket } = kernel;
  const bytes = question(family, port);
  if (libc.send(socket, bytes, bytes.length, 0) !== bytes.length) return null;
  const answer = Buffer.alloc(32 * 1024);
  let found = false;
  for (;;) {
    const count = libc.recv(socket, answer, answer.length, MSG_DONTWAIT);
    if (count < 16) return null;
    for (let at = 0; at + 16 <= count; at += (answer.readUInt32LE(at) + 3) & ~3) {
      const type = answer.readUInt16LE(at + 4);
      if (type === NLMSG_DONE) return found;
      if (type !== SOCK_DIAG_BY_FAMILY) return null;
      found ||= answer.readUInt16BE(at + 20) === port;
    }
  }
}

// Where there is no /proc either, nobody knows.
function read(name, port) {
  const listening = new RegExp(`^ *\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 0A `, "m");
  try {
    return listening.test(fs.readFileSync(`/proc/net/${name}`, "latin1"));
  } catch {
    return false;
  }
}

function listens(port) {
  kernel ??= process.platform === "linux" ? open() : false;
  if (kernel) {
    const answers = [AF_INET, AF_INET6].map((family) => asked(family, port));
    if (!answers.includes(null)) return answers.includes(true);
    kernel = false;
  }
  return ["tcp", "tcp6"].some((name) => read(name, port));
}

module.exports = { listens };
