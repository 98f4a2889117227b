import type { Core } from "./core.ts";
import type { Tube } from "./tube.ts";

/** An answer stops growing at so many bytes of payload, ... */
const MAX_PAYLOAD_BYTES = 3 * 2 ** 20;
/** ... and at so many in all: gRPC clients refuse what has more than 4 MiB by default. */
const MAX_BYTES = 3.75 * 2 ** 20;
/** What a task takes in an answer beside its payload and its texts, or somewhat more. */
const TASK_BYTES = 128;

/** How many tasks with their payloads go into one answer: one at least. */
export class AnswerRoom {
  readonly #core: Core;
  readonly #tube: Tube;
  #payloadBytes = 0;
  #bytes = 0;

  constructor(core: Core, tube: Tube) {
    this.#core = core;
    this.#tube = tube;
  }

  /** Counts a task in, if there is room for it. */
  add(slot: number): boolean {
    const isFirst = this.#bytes === 0;
    const payload = this.#core.table.size[slot] as number;
    this.#payloadBytes += payload;
    this.#bytes += payload + this.#bytesBeside(slot);
    return isFirst || (this.#payloadBytes <= MAX_PAYLOAD_BYTES && this.#bytes <= MAX_BYTES);
  }

  #bytesBeside(slot: number): number {
    const { dedupKey, reason } = this.#core.table;
    let bytes = TASK_BYTES + this.#tube.name.length;
    bytes += Buffer.byteLength(this.#tube.order.groupName(slot));
    if (dedupKey.size > 0) bytes += Buffer.byteLength(dedupKey.get(slot) ?? "");
    if (reason.size > 0) bytes += Buffer.byteLength(reason.get(slot) ?? "");
    return bytes;
  }
}
