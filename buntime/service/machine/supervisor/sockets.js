// The bytes that wait in sockets: memory of the kernel, which belongs to no process and outlives those that sent it.
"use strict";

const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1, 2, 10, 16];
const SOCK_DGRAM = 2;
const [TCP, UDP] = [6, 17];
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const REQUEST_DUMP = 0x301;
const MSG_DONTWAIT = 0x40;
const NLMSG_DONE = 3;
const UDIAG_SHOW_RQLEN = 0x10;
const UNIX_DIAG_RQLEN = 4;

// Of each kind: the request after its header, and the size of a socket's description before its attributes.
const KINDS = [
  [unixRequest(), 16],
  ...[AF_INET, AF_INET6].flatMap((family) => [TCP, UDP].map((protocol) => [inetRequest(family, protocol), 72])),
];
const received = Buffer.allocUnsafeSlow(64 * 1024);

function unixRequest() {
  const request = Buffer.alloc(24);
  request[0] = AF_UNIX;
  request.writeUInt32LE(0xffffffff, 4); // any state
  request.writeUInt32LE(UDIAG_SHOW_RQLEN, 12);
  return request;
}

function inetRequest(family, protocol) {
  const request = Buffer.alloc(56);
  [request[0], request[1]] = [family, protocol];
  request.writeUInt32LE(0xffffffff, 4);
  return request;
}

// The bytes in all sockets of this network namespace; 0 if the kernel does not report them.
function waiting(libc) {
  const socket = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
  if (socket < 0) return 0;
  try {
    return KINDS.reduce((sum, [request, size]) => sum + dump(libc, socket, request, size), 0);
  } finally {
    libc.close(socket);
  }
}

function dump(libc, socket, request, size) {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + request.length, 0);
  header.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  header.writeUInt16LE(REQUEST_DUMP, 6);
  const message = Buffer.concat([header, request]);
  if (Number(libc.send(socket, message, message.length, 0)) < 0) return 0;
  for (let sum = 0; ; ) {
    const count = Number(libc.recv(socket, received, received.length, MSG_DONTWAIT));
    for (let at = 0; at < count; at += (received.readUInt32LE(at) + 3) & ~3) {
      // An error is the end, too.
      if (received.readUInt16LE(at + 4) <= NLMSG_DONE) return sum;
      sum += bytesOf(received.subarray(at + 16, at + received.readUInt32LE(at)), size);
    }
    if (count <= 0) return sum;
  }
}

// Of a socket of the internet, both queues stand in its description; of a local one, what it was sent in an attribute,
// and of datagrams only the first: a queue has about ten.
function bytesOf(description, size) {
  if (description[0] !== AF_UNIX) return description.readUInt32LE(56) + description.readUInt32LE(60);
  for (let at = size; at + 8 <= description.length; at += (description.readUInt16LE(at) + 3) & ~3) {
    if (description.readUInt16LE(at + 2) === UNIX_DIAG_RQLEN) {
      return description.readUInt32LE(at + 4) * (description[1] === SOCK_DGRAM ? 10 : 1);
    }
  }
  return 0;
}

module.exports = { waiting };
