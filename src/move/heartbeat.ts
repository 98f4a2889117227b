import { setInterval } from "node:timers/promises";
import type { ShardRegistry } from "../cluster/registry.ts";
import { StorageOpenError } from "../storage/open-error.ts";

/** How long a move counts as one at work after its last sign of life. */
export const LIFE_MS = 5_000;
const BEAT_MS = 1_000;

/** Keeps a move alive in the registry, so that instances and other moves leave its target alone. */
export class MoveHeartbeat {
  readonly #registry: ShardRegistry;
  readonly #ended = new AbortController();
  #lastBeat = performance.now();
  #beating: Promise<void> = Promise.resolve();

  constructor(registry: ShardRegistry) {
    this.#registry = registry;
  }

  async begin(): Promise<void> {
    await this.#registry.join("move", LIFE_MS);
    this.#lastBeat = performance.now();
    this.#beating = this.#beat();
  }

  /** Throws if others may believe that this move is over: nothing may be written any more. */
  check(): void {
    if (performance.now() - this.#lastBeat < LIFE_MS) return;
    throw new StorageOpenError("the target did not answer for a while: run the move again");
  }

  /** Ends the life, so that the shards are anyone's. A second call does nothing. */
  async end(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    await this.#beating;
    await this.#registry.leave();
  }

  async #beat(): Promise<void> {
    try {
      for await (const _ of setInterval(BEAT_MS, undefined, { signal: this.#ended.signal })) {
        const at = performance.now();
        // A beat that fails is tried again, until `check` finds that the last one was too long ago.
        const alive = await this.#registry.beat(LIFE_MS).catch(() => undefined);
        if (alive === true) this.#lastBeat = at;
      }
    } catch {
      // Aborted: the end.
    }
  }
}
