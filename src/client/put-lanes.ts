import type { NewTask } from "../../gen/usher/queue/v1/task_pb.ts";
import type { UsherClientError } from "./errors.ts";

/** The outcome of a put. */
export interface PutResult {
  /** The task's id, or with `duplicate` that of the first task with its dedup key. */
  readonly id: bigint;
  /** Whether a task with this dedup key was there, so that none was put. */
  readonly duplicate: boolean;
}

/** One put that waits for its answer. */
export interface Put {
  readonly tube: string;
  readonly task: NewTask;
  /** About what it adds to a message. */
  readonly bytes: number;
  /** Counts all puts of a producer. */
  readonly order: number;
  /** When it was asked for, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** Whether it was ever handed to a stream. */
  sent: boolean;
  readonly resolve: (result: PutResult) => void;
  readonly reject: (error: UsherClientError) => void;
}

/** Puts for one tube that go into one message. */
export interface Batch {
  readonly tube: string;
  readonly puts: readonly Put[];
  /** Whether it is to wait for room in a full tube. */
  readonly waits: boolean;
}

export interface BatchRules {
  /** The most tasks in a batch. */
  readonly tasks: number;
  /** The most bytes; a put that has more goes alone. */
  readonly bytes: number;
  /** Whether puts wait for room. Only one at a time does: a batch waits for room for all of it. */
  readonly wait: boolean;
}

/** The puts of one tube that are not sent, in order. */
class Lane {
  /** Puts that were not sent yet, from `first` on. */
  waiting: Put[] = [];
  first = 0;
  /** Batches that have to be sent again. They go before the puts that wait. */
  again: (readonly Put[])[] = [];
  underWay = 0;
  /** Whether the batches under way must not be overtaken: one is sent again, or waits for room. */
  alone = false;

  get isIdle(): boolean {
    return this.underWay === 0 && this.again.length === 0 && this.first === this.waiting.length;
  }

  /** The puts of the next batch; none while they have to wait for another one. */
  take(rules: BatchRules): readonly Put[] {
    if (this.alone) return [];
    if (this.again.length > 0) {
      if (this.underWay > 0) return [];
      this.alone = true;
      return this.again.shift() ?? [];
    }
    const puts = this.#takeWaiting(rules);
    if (puts.length === 1) this.alone = rules.wait;
    return puts;
  }

  #takeWaiting(rules: BatchRules): readonly Put[] {
    const { waiting, first } = this;
    let end = first;
    for (let bytes = 0; end < waiting.length && end - first < rules.tasks; end++) {
      bytes += (waiting[end] as Put).bytes;
      if (bytes > rules.bytes && end > first) break;
    }
    const puts = waiting.slice(first, end);
    this.first = end;
    // Removing them one by one would move all that follow each time.
    if (end === waiting.length || end > 8 * rules.tasks) {
      this.waiting = waiting.slice(end);
      this.first = 0;
    }
    return puts;
  }
}

/**
 * The unsent puts of a producer, a lane for each tube. A tube that has to wait holds up no other,
 * and tubes take turns.
 */
export class PutLanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #rules: BatchRules;

  constructor(rules: BatchRules) {
    this.#rules = rules;
  }

  add(put: Put): void {
    this.#lane(put.tube).waiting.push(put);
  }

  /** The next batch to send; `settled` must follow. undefined: there is nothing, for now. */
  next(): Batch | undefined {
    for (const [tube, lane] of this.#lanes) {
      const puts = lane.take(this.#rules);
      if (puts.length === 0) continue;
      lane.underWay++;
      this.#lanes.delete(tube);
      this.#lanes.set(tube, lane);
      return { tube, puts, waits: this.#rules.wait && puts.length === 1 };
    }
    return undefined;
  }

  /** Notes that a batch of `next` is not under way any more. */
  settled({ tube }: Batch): void {
    const lane = this.#lane(tube);
    lane.underWay--;
    lane.alone = false;
    if (lane.isIdle) this.#lanes.delete(tube);
  }

  /** Puts these before all that follow them, to be sent as one batch. */
  putBack(tube: string, puts: readonly Put[]): void {
    if (puts.length === 0) return;
    const { again } = this.#lane(tube);
    const order = puts[0]?.order ?? 0;
    const at = again.findIndex(([first]) => first !== undefined && first.order > order);
    again.splice(at === -1 ? again.length : at, 0, puts);
  }

  /** Removes and returns the puts for which `is` is true. Those under way stay. */
  remove(isSo: (put: Put) => boolean): Put[] {
    const removed: Put[] = [];
    const stays = (put: Put): boolean => {
      if (!isSo(put)) return true;
      removed.push(put);
      return false;
    };
    for (const [tube, lane] of this.#lanes) {
      lane.again = lane.again.map((puts) => puts.filter(stays)).filter(({ length }) => length > 0);
      lane.waiting = lane.waiting.slice(lane.first).filter(stays);
      lane.first = 0;
      if (lane.isIdle) this.#lanes.delete(tube);
    }
    return removed;
  }

  #lane(tube: string): Lane {
    let lane = this.#lanes.get(tube);
    if (lane === undefined) {
      lane = new Lane();
      this.#lanes.set(tube, lane);
    }
    return lane;
  }
}
