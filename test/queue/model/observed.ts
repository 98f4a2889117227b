import assert from "node:assert/strict";
import { type Reason, UsherError } from "../../../src/base/errors.ts";

/** The answer to a call, which may still be out. */
export class Observed<T> {
  #outcome: { readonly value: T } | { readonly error: unknown } | undefined;

  constructor(answer: Promise<T>) {
    answer.then(
      (value) => {
        this.#outcome = { value };
      },
      (error: unknown) => {
        this.#outcome = { error };
      },
    );
  }

  /** What the call was answered with; it must have succeeded. */
  value(): T {
    const outcome = this.#outcome;
    assert.ok(outcome !== undefined, "the call is answered");
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  /** The call must have been refused for this reason. */
  refused(reason: Reason): void {
    const outcome = this.#outcome;
    assert.ok(outcome !== undefined, `the call is answered, with ${reason}`);
    assert.ok("error" in outcome, `the call is refused, with ${reason}`);
    assert.ok(outcome.error instanceof UsherError, String(outcome.error));
    assert.equal(outcome.error.reason, reason);
  }

  waits(): void {
    assert.equal(this.#outcome, undefined, "the call waits");
  }

  /** Whether the store refused it. */
  get unavailable(): boolean {
    const outcome = this.#outcome;
    if (outcome === undefined || !("error" in outcome)) return false;
    return outcome.error instanceof UsherError && outcome.error.reason === "STORAGE_UNAVAILABLE";
  }
}
