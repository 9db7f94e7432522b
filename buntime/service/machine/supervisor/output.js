// The output of an execution: two pipes that are read without waiting, and the halves that are kept of what they carry.
"use strict";
const fs = require("node:fs");

const BLOCK = 64 * 1024;
const received = Buffer.allocUnsafeSlow(BLOCK);

class Output {
  constructor(kind, reader, maximum) {
    Object.assign(this, { kind, reader, ended: false, blocks: [], omitted: 0 });
    this.half = Math.max(1, Math.ceil(maximum / 2 / BLOCK)); // how many blocks are kept of the start, and of the end
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  // What the pipe holds, up to a block; empty if that is nothing. Valid until the next read of any output.
  read() {
    return received.subarray(0, this.#readInto(received, 0));
  }

  // Reads as much into the last block, and returns how much. Between the two halves blocks are used again, so that a
  // program that prints for ever costs no memory.
  collect() {
    let block = this.blocks.at(-1);
    if (!block || block.size === BLOCK) {
      const full = this.blocks.length === 2 * this.half + 1;
      if (full) this.omitted += BLOCK;
      block = full ? this.blocks.splice(this.half, 1)[0] : { bytes: Buffer.allocUnsafeSlow(BLOCK) };
      block.size = 0;
      this.blocks.push(block);
    }
    const count = this.#readInto(block.bytes, block.size);
    block.size += count;
    return count;
  }

  #readInto(buffer, at) {
    if (this.ended) return 0;
    try {
      const count = fs.readSync(this.reader, buffer, at, buffer.length - at, null);
      if (!count) this.ended = true; // nobody has the other end any more
      return count;
    } catch (error) {
      if (error.code !== "EAGAIN") this.ended = true;
      return 0;
    }
  }

  // The texts that were collected, with a line in place of what was left out. As a message a text costs up to six times
  // its size (JSON escapes control characters): what counts is the size of the message, if that is more than double.
  texts() {
    const texts = this.blocks.map(({ bytes, size }, index) => {
      const afterGap = this.omitted > 0 && index === this.half;
      if (afterGap) this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      return this.decode(bytes.subarray(afterGap ? utf8Boundary(bytes) : 0, size));
    });
    texts.push(this.decoder.decode());
    const sizes = texts.map(sizeOf);
    const half = this.half * BLOCK;
    if (!this.omitted && sizes.reduce((sum, size) => sum + size, 0) <= 2 * half) return texts;
    let [first, last] = [0, texts.length];
    for (let room = half; first < this.half && (room -= sizes[first]) >= 0; ) first++;
    for (let room = half; last > Math.max(first, this.half) && (room -= sizes[last - 1]) >= 0; ) last--;
    for (let index = first; index < last; index++) this.omitted += Buffer.byteLength(texts[index]);
    return [...texts.slice(0, first), `\n[... ${this.omitted} bytes of output left out ...]\n`, ...texts.slice(last)];
  }

  decode(bytes) {
    return this.decoder.decode(bytes, { stream: true });
  }

  // After the execution: what it left running may go on writing, and must neither wait for a reader nor be refused.
  async drain() {
    this.blocks = [];
    for (let pause = 16; !this.ended; pause = this.read().length ? 1 : Math.min(pause * 2, 128)) await Bun.sleep(pause);
    fs.closeSync(this.reader);
  }
}

// The size that a text counts with: in bytes, or half of its message.
function sizeOf(text) {
  return Math.max(Buffer.byteLength(text), Math.ceil(JSON.stringify(text).length / 2));
}

// Where the first whole character of a block begins.
function utf8Boundary(bytes) {
  let at = 0;
  while (at < 3 && (bytes[at] & 0xc0) === 0x80) at++;
  return at;
}

module.exports = { Output, sizeOf };
