/**
 * The most bytes of a varint: 49 bits fit a number exactly. Usher's messages have no larger ones.
 */
const LONGEST_VARINT = 7;
/** Up to this length a text is faster to read a character at a time. */
const SHORT_TEXT = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads plain parts of protobuf's wire format. Malformed input, or a value that does not fit, sets
 * `failed` for good and ends the reading. The caller then leaves the whole message to protobuf-es.
 */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Where the message that is being read ends. */
  #end: number;
  failed = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** The tag of the next field, as in `tag` of writer.ts; 0 at the end of the message. */
  next(): number {
    if (this.#at === this.#end) return 0;
    const tag = this.varint();
    return tag === 0 ? this.fail() : tag;
  }

  /** A whole number. */
  varint(): number {
    const bytes = this.#bytes;
    let factor = 1;
    let value = 0;
    for (let length = 0; length < LONGEST_VARINT && this.#at < this.#end; length++) {
      const byte = bytes[this.#at++] as number;
      if (byte < 128) return value + byte * factor;
      value += (byte - 128) * factor;
      factor *= 128;
    }
    return this.fail();
  }

  /** A whole number that is at most this large. */
  varintUpTo(most: number): number {
    const value = this.varint();
    return value > most ? this.fail() : value;
  }

  text(): string {
    const length = this.#length();
    const start = this.#at;
    this.#at += length;
    if (length <= SHORT_TEXT && this.#isAscii(start)) {
      return this.#bytes.toString("latin1", start, this.#at);
    }
    try {
      return utf8.decode(this.#bytes.subarray(start, this.#at));
    } catch {
      this.fail();
      return "";
    }
  }

  /** A part of what is read, not a copy. */
  bytes(): Uint8Array {
    const { buffer, byteOffset } = this.#bytes;
    const length = this.#length();
    this.#at += length;
    return new Uint8Array(buffer, byteOffset + this.#at - length, length);
  }

  /** Begins a message within this one. Pass the result to `close` when `next` has given 0. */
  open(): number {
    const outer = this.#end;
    const length = this.#length();
    this.#end = this.#at + length;
    return outer;
  }

  close(outer: number): void {
    this.#end = this.failed ? this.#at : outer;
  }

  /** Nothing more is read. */
  fail(): 0 {
    this.failed = true;
    this.#end = this.#at;
    return 0;
  }

  #length(): number {
    const length = this.varint();
    return length > this.#end - this.#at ? this.fail() : length;
  }

  #isAscii(start: number): boolean {
    for (let at = start; at < this.#at; at++) {
      if ((this.#bytes[at] as number) > 127) return false;
    }
    return true;
  }
}
