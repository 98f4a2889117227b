const INITIAL_BYTES = 4_096;
/** Texts up to here are cheaper to write a character at a time, while they are ASCII. */
const SHORT_TEXT = 40;

/** Protobuf's wire format, written into one growing buffer. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #end = 0;

  /** Starts over, keeping the room. */
  reset(): void {
    this.#end = 0;
  }

  /** What was written, as a buffer of its own. */
  finish(): Buffer {
    const copy = Buffer.allocUnsafe(this.#end);
    this.#bytes.copy(copy, 0, 0, this.#end);
    return copy;
  }

  /** A whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#ensure(10);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.#bytes[this.#end++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#bytes[this.#end++] = (rest & 127) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#end++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.byteLength);
    this.#ensure(value.byteLength);
    this.#bytes.set(value, this.#end);
    this.#end += value.byteLength;
  }

  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#ascii(value)) return;
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#ensure(length);
    this.#end += this.#bytes.write(value, this.#end, length);
  }

  /** Begins something whose length is not known yet; `close` takes what this returns. */
  open(): number {
    this.#ensure(1);
    return this.#end++;
  }

  /** Writes the length of what was written since `open`; most lengths fit the byte kept free. */
  close(opened: number): void {
    const length = this.#end - opened - 1;
    if (length < 128) {
      this.#bytes[opened] = length;
      return;
    }
    const extra = length < 2 ** 14 ? 1 : length < 2 ** 21 ? 2 : length < 2 ** 28 ? 3 : 4;
    this.#ensure(extra);
    this.#bytes.copyWithin(opened + 1 + extra, opened + 1, this.#end);
    const end = this.#end + extra;
    this.#end = opened;
    this.varint(length);
    this.#end = end;
  }

  /** Writes a short text if it is ASCII: length and bytes are then as many as characters. */
  #ascii(value: string): boolean {
    this.#ensure(value.length + 1);
    const start = this.#end;
    this.#bytes[start] = value.length;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 127) return false;
      this.#bytes[start + 1 + index] = code;
    }
    this.#end = start + 1 + value.length;
    return true;
  }

  #ensure(more: number): void {
    if (this.#end + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + more));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}
