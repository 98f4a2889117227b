import { LARGEST_ANSWER_BYTES } from "../../base/answer-size.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { ViewedTube } from "./task-view.ts";

/** An answer stops growing at this many bytes of payload. */
const MAX_PAYLOAD_BYTES = 3 * 2 ** 20;
/** A task takes at most this much in an answer beside its payload and its texts. */
const TASK_BYTES = 128;

/** Counts what tasks with their payloads take in one answer. The first always has room. */
export class AnswerSize {
  readonly #table: TaskTable;
  readonly #tube: ViewedTube;
  #payloadBytes = 0;
  #bytes = 0;

  constructor(table: TaskTable, tube: ViewedTube) {
    this.#table = table;
    this.#tube = tube;
  }

  /** Counts a task in, if there is room for it. */
  add(slot: number): boolean {
    const isFirst = this.#bytes === 0;
    const payload = this.#table.size[slot] as number;
    this.#payloadBytes += payload;
    this.#bytes += payload + this.#bytesBeside(slot);
    return (
      isFirst || (this.#payloadBytes <= MAX_PAYLOAD_BYTES && this.#bytes <= LARGEST_ANSWER_BYTES)
    );
  }

  #bytesBeside(slot: number): number {
    const { dedupKey, reason } = this.#table;
    let bytes = TASK_BYTES + this.#tube.name.length;
    bytes += Buffer.byteLength(this.#tube.order.groupName(slot));
    if (dedupKey.size > 0) bytes += Buffer.byteLength(dedupKey.get(slot) ?? "");
    if (reason.size > 0) bytes += Buffer.byteLength(reason.get(slot) ?? "");
    return bytes;
  }
}
