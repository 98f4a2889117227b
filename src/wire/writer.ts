const INITIAL_BYTES = 4_096;
/** Up to this length an ASCII text is faster to write a character at a time. */
const SHORT_TEXT = 40;

const VARINT = 0;
const DELIMITED = 2;

/** The tags of fields, by their numbers in the proto file. */
export const tag = {
  /** Of numbers, enums and booleans. */
  varint: (field: number): number => (field << 3) | VARINT,
  /** Of texts, bytes, messages and entries of maps. */
  delimited: (field: number): number => (field << 3) | DELIMITED,
};

const FIRST_VARINT = tag.varint(1);
const SECOND_VARINT = tag.varint(2);
const FIRST_DELIMITED = tag.delimited(1);
const SECOND_DELIMITED = tag.delimited(2);

/**
 * Protobuf's wire format, written into one growing buffer. The methods for whole fields leave out
 * what has its default, as protobuf does: zeros and empty texts.
 */
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

  textField(tagOfField: number, value: string): void {
    if (value === "") return;
    this.varint(tagOfField);
    this.text(value);
  }

  /** A number as `varint` takes it, an enum, or a boolean as 0 and 1. */
  numberField(tagOfField: number, value: number): void {
    if (value === 0) return;
    this.varint(tagOfField);
    this.varint(value);
  }

  /**
   * A Timestamp of a time since 1970, or a Duration, from milliseconds: seconds and nanoseconds.
   * One that is not finite is left out.
   */
  timeField(tagOfField: number, ms: number): void {
    if (!Number.isFinite(ms)) return;
    this.varint(tagOfField);
    const opened = this.open();
    const seconds = Math.floor(ms / 1_000);
    this.numberField(FIRST_VARINT, seconds);
    this.numberField(SECOND_VARINT, Math.round((ms - seconds * 1_000) * 1e6));
    this.close(opened);
  }

  /** A map of texts. */
  textsField(tagOfField: number, values: Readonly<Record<string, string>>): void {
    for (const [key, value] of Object.entries(values)) {
      this.varint(tagOfField);
      const opened = this.open();
      this.varint(FIRST_DELIMITED);
      this.text(key);
      this.varint(SECOND_DELIMITED);
      this.text(value);
      this.close(opened);
    }
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

  /** Begins a part whose length is not known yet. Pass the result to `close`. */
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
