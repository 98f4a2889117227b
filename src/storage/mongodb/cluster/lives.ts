import type { Document } from "mongodb";
import type { InstanceDocument } from "./schema.ts";

/** An instance as it was read, with the time that it has left by the database's clock. */
export interface SeenInstance extends InstanceDocument {
  /** Milliseconds; negative: it has expired. */
  readonly left: number;
}

/** A stage of an aggregation that makes instances seen ones. */
export const withTimeLeft: Document = {
  $set: { left: { $toDouble: { $subtract: ["$expires", "$$NOW"] } } },
};

interface Life {
  /** The beat that was seen last. */
  readonly expires: number;
  /** On the clock of performance.now(). */
  readonly until: number;
}

/**
 * Which instances live, as one who looks at them again and again can tell by a clock that nobody
 * sets: an instance is dead when its beat has stayed the same for the whole of its life. Only at
 * the first look there is but the database's clock to go by.
 */
export class Lives {
  readonly #lives = new Map<string, Life>();

  isAlive({ _id, expires: beat, left, life = Math.max(0, left) }: SeenInstance): boolean {
    const now = performance.now();
    const expires = beat.getTime();
    let known = this.#lives.get(_id);
    if (known?.expires !== expires) {
      const leftMs = known === undefined ? Math.min(Math.max(0, left), life) : life;
      known = { expires, until: now + leftMs };
      this.#lives.set(_id, known);
    }
    return now < known.until;
  }

  /** Forgets the instances that are not there any more. */
  forgetOthersThan(seen: readonly SeenInstance[]): void {
    const ids = new Set(seen.map(({ _id }) => _id));
    for (const id of this.#lives.keys()) if (!ids.has(id)) this.#lives.delete(id);
  }
}
