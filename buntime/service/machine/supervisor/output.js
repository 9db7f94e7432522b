// The two output pipes of an execution: they are read without waiting, and the first and last half of each is kept.
"use strict";
const { isAscii } = require("node:buffer");
const fs = require("node:fs");

const BLOCK = 64 * 1024;
const CONTROL = /[\0-\x07\x0b\x0e-\x1f]/g;
const received = Buffer.allocUnsafeSlow(BLOCK);

class Output {
  constructor(kind, reader, maximum) {
    Object.assign(this, { kind, reader, ended: false, blocks: [], omitted: 0, ahead: null });
    this.half = Math.max(1, Math.ceil(maximum / 2 / BLOCK)); // how many blocks are kept of the start, and of the end
    this.decoder = newDecoder();
  }

  // Read up to a block from the pipe; empty if it holds nothing. Valid until the next read of any output.
  read() {
    return received.subarray(0, this.#readInto(received, 0));
  }

  // The same as a piece of text, or null if there is nothing.
  next() {
    const bytes = this.read();
    return bytes.length ? this.decode(bytes) : null;
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
      if (!count) this.ended = true; // no process has the other end any more
      return count;
    } catch (error) {
      if (error.code !== "EAGAIN") this.ended = true;
      return 0;
    }
  }

  // The collected output, piece by piece, with a line in place of the part that was left out.
  *pieces() {
    const sizes = this.blocks.map(({ bytes, size }) => sizeOf(bytes.subarray(0, size)));
    let [first, last] = [this.blocks.length, this.blocks.length];
    if (this.omitted || sizes.reduce((sum, size) => sum + size, 0) > 2 * this.half * BLOCK) {
      first = fitting(sizes, this.half);
      last = sizes.length - fitting(sizes.slice(first).reverse(), this.half);
    }
    for (let index = first; index < last; index++) this.omitted += this.blocks[index].size;
    for (const { bytes, size } of this.blocks.slice(0, first)) yield this.decode(bytes.subarray(0, size));
    if (this.omitted) {
      this.decoder = newDecoder();
      yield piece(`\n[... ${this.omitted} bytes of output left out ...]\n`);
    }
    for (const [index, { bytes, size }] of this.blocks.slice(last).entries()) {
      yield this.decode(bytes.subarray(this.omitted && !index ? utf8Boundary(bytes) : 0, size));
    }
    yield this.rest();
  }

  // The same as one text.
  text() {
    return Array.from(this.pieces(), ({ text }) => text).join("");
  }

  decode(bytes) {
    return piece(this.decoder.decode(bytes, { stream: true }), sizeOf(bytes));
  }

  // The end of a text that was cut within a character.
  rest() {
    return piece(this.decoder.decode());
  }

  // After the execution: processes that are still running may write, and must neither wait for a reader nor get an error.
  async drain() {
    this.blocks = [];
    for (let pause = 16; !this.ended; pause = this.read().length ? 1 : Math.min(pause * 2, 128)) await Bun.sleep(pause);
    fs.closeSync(this.reader);
  }
}

const piece = (text, size = text.length) => ({ text, size });
const newDecoder = () => new TextDecoder("utf-8", { ignoreBOM: true });

// The size that bytes count with: that of their text in UTF-8, with U+FFFD for each invalid byte. Most control characters
// count three times, because JSON writes six characters for each.
function sizeOf(bytes) {
  const size = isAscii(bytes) ? bytes.length : Buffer.byteLength(bytes.toString());
  return size + 2 * (bytes.latin1Slice().match(CONTROL)?.length ?? 0);
}

// How many of these blocks make up a half: at least one.
function fitting(sizes, half) {
  let [count, room] = [0, half * BLOCK];
  while (count < Math.min(half, sizes.length) && (!count || sizes[count] <= room)) room -= sizes[count++];
  return count;
}

// The offset of the first complete character of a block.
function utf8Boundary(bytes) {
  let at = 0;
  while (at < 3 && (bytes[at] & 0xc0) === 0x80) at++;
  return at;
}

module.exports = { Output };
