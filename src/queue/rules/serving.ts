import type { UsherError } from "../../base/errors.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Tube } from "./tube.ts";
import type { TubeDirectory } from "./tube-directory.ts";

/** Someone who takes from several tubes in turn, as soon as the engine's state is settled. */
export interface TurnTaker {
  takeTurns(): void;
}

/**
 * The engine's turns. First what is due happens. Then waiters are served at the tubes that have got
 * tasks or room by it.
 */
export class Serving {
  readonly #tubes: TubeDirectory;
  readonly #deadlines: Deadlines;
  readonly #touched = new Set<Tube>();
  readonly #turnTakers = new Set<TurnTaker>();
  /** Why nobody may wait any more; undefined while the engine is open. */
  closing: UsherError | undefined;
  /** Serves the waiters of a tube that may have something for them. The engine sets it. */
  serve: (tube: Tube) => void = () => {};

  constructor(tubes: TubeDirectory, deadlines: Deadlines) {
    this.#tubes = tubes;
    this.#deadlines = deadlines;
  }

  /** The tube of that name, after what is due has happened. Throws TUBE_NOT_FOUND. */
  tube(name: string): Tube {
    this.advance();
    return this.#tubes.find(name);
  }

  /** Lets happen what is due, and serves those who waited for it. */
  advance(): void {
    this.#deadlines.advance();
    this.serveTouched();
  }

  /** The tube has tasks, or room, that it did not have: its waiters are served soon. */
  touch(tube: Tube): void {
    this.#touched.add(tube);
  }

  /** Lets someone take turns at their tubes before these serve others. */
  soon(taker: TurnTaker): void {
    this.#turnTakers.add(taker);
  }

  serveTouched(): void {
    for (const taker of this.#turnTakers) {
      this.#turnTakers.delete(taker);
      taker.takeTurns();
    }
    for (const tube of this.#touched) {
      this.#touched.delete(tube);
      // A tube that is being deleted serves nobody.
      if (this.#tubes.byName.get(tube.name) === tube) this.serve(tube);
    }
  }
}
