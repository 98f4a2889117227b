import type { Payload } from "../repository.ts";
import type { Lease } from "./leases.ts";

const INITIAL = 1024;

/**
 * Every task in memory: a slot for each task, a column for each fact. A task takes about 90 bytes,
 * where an object would take more than 400. Slots are used again, so a slot number means nothing
 * outside the engine.
 */
export class TaskTable {
  key = new Float64Array(INITIAL);
  id = new Float64Array(INITIAL);
  createdAt = new Float64Array(INITIAL);
  readyAt = new Float64Array(INITIAL);
  expiresAt = new Float64Array(INITIAL);
  ttrMs = new Float64Array(INITIAL);
  /** When the next timed transition is due, while the task is among the deadlines. */
  due = new Float64Array(INITIAL);
  tube = new Uint32Array(INITIAL);
  group = new Uint32Array(INITIAL);
  priority = new Uint32Array(INITIAL);
  attempts = new Uint32Array(INITIAL);
  size = new Uint32Array(INITIAL);
  /** Place + 1 in the one ready or buried heap that holds the task; 0: in none. */
  place = new Uint32Array(INITIAL);
  /** Place + 1 among the deadlines; 0: not among them. */
  duePlace = new Uint32Array(INITIAL);
  /** A State. */
  state = new Uint8Array(INITIAL);
  /** 1: a change of it is on its way to the store, and it is in no heap meanwhile. */
  held = new Uint8Array(INITIAL);
  readonly payload: (Payload | undefined)[] = [];
  readonly lease: (Lease | undefined)[] = [];
  /** Facts that few tasks have. */
  readonly reason = new Map<number, string>();
  readonly dedupKey = new Map<number, string>();
  /** How often the task came back from a worker that had not begun it. */
  readonly returns = new Map<number, number>();

  readonly #free: number[] = [];
  #end = 0;

  /** A free slot. Its columns hold what the last task left; place, duePlace and held are 0. */
  allocate(): number {
    const slot = this.#free.pop();
    if (slot !== undefined) return slot;
    if (this.#end === this.key.length) this.#grow();
    this.payload.push(undefined);
    this.lease.push(undefined);
    return this.#end++;
  }

  free(slot: number): void {
    this.payload[slot] = undefined;
    this.lease[slot] = undefined;
    this.held[slot] = 0;
    if (this.reason.size > 0) this.reason.delete(slot);
    if (this.dedupKey.size > 0) this.dedupKey.delete(slot);
    if (this.returns.size > 0) this.returns.delete(slot);
    this.#free.push(slot);
  }

  #grow(): void {
    const length = Math.ceil(this.key.length * 1.5);
    this.key = floats(this.key, length);
    this.id = floats(this.id, length);
    this.createdAt = floats(this.createdAt, length);
    this.readyAt = floats(this.readyAt, length);
    this.expiresAt = floats(this.expiresAt, length);
    this.ttrMs = floats(this.ttrMs, length);
    this.due = floats(this.due, length);
    this.tube = words(this.tube, length);
    this.group = words(this.group, length);
    this.priority = words(this.priority, length);
    this.attempts = words(this.attempts, length);
    this.size = words(this.size, length);
    this.place = words(this.place, length);
    this.duePlace = words(this.duePlace, length);
    this.state = bytes(this.state, length);
    this.held = bytes(this.held, length);
  }
}

function floats(old: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const column = new Float64Array(length);
  column.set(old);
  return column;
}

function words(old: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const column = new Uint32Array(length);
  column.set(old);
  return column;
}

function bytes(old: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const column = new Uint8Array(length);
  column.set(old);
  return column;
}
