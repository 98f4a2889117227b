/**
 * Protobuf by hand, for load programs alone: what they send is made of parts that were encoded
 * before, and of what they receive they read the one field they need.
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

export function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

export function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((field << 3) | BYTES), varint(bytes.length), bytes]);
}

/** Walks over a message, a field at a time, without making anything of it. */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** The number of the field just met. */
  field = 0;
  /** Of the field just met, if it has bytes. */
  start = 0;
  end = 0;
  /** Of the field just met, if it is a number. */
  value = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Goes on to the next field; false: there is none. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    switch (tag & 7) {
      case VARINT:
        this.value = this.#varint();
        return true;
      case BYTES: {
        const length = this.#varint();
        this.start = this.#at;
        this.end = this.#at += length;
        return true;
      }
      case FIXED64:
        this.#at += 8;
        return true;
      case FIXED32:
        this.#at += 4;
        return true;
      default:
        throw new Error(`a field of type ${tag & 7}`);
    }
  }

  #varint(): number {
    let byte = this.#bytes[this.#at++] as number;
    let value = byte & 0x7f;
    let scale = 0x80;
    while (byte >= 0x80) {
      byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
    }
    return value;
  }
}

const TASK_LEASE = 7;
const SETTLE_ACKS = 2;

/** The leases of the tasks in one field of a message, as fields of a Settle or BatchAck. */
export function leasesOf(
  message: Buffer,
  tasksField: number,
  start: number,
  end: number,
): Buffer[] {
  const leases: Buffer[] = [];
  const tasks = new FieldReader(message, start, end);
  while (tasks.next()) {
    if (tasks.field !== tasksField) continue;
    const task = new FieldReader(message, tasks.start, tasks.end);
    while (task.next()) {
      if (task.field === TASK_LEASE) leases.push(message.subarray(task.start, task.end));
    }
  }
  return leases;
}

/** Leases as the acks of a Settle. */
export function acksField(leases: readonly Buffer[]): Buffer {
  return Buffer.concat(leases.map((lease) => bytesField(SETTLE_ACKS, lease)));
}
