import { UsherError } from "../base/errors.ts";

/** How far the server is with stopping; one for both listeners. */
export class Shutdown {
  readonly #drained = new AbortController();
  readonly #aborted = new AbortController();
  #draining = false;

  /** True from the moment that new calls are refused. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Aborts when draining begins. */
  get drainSignal(): AbortSignal {
    return this.#drained.signal;
  }

  /** Aborts when calls that still run are given up; its reason is SHUTTING_DOWN. */
  get abortSignal(): AbortSignal {
    return this.#aborted.signal;
  }

  /** Refuses new calls from now on; those that run go on. A second call does nothing. */
  drain(): void {
    this.#draining = true;
    this.#drained.abort(new UsherError("SHUTTING_DOWN"));
  }

  /** Gives up the calls that still run. */
  abort(): void {
    this.drain();
    this.#aborted.abort(new UsherError("SHUTTING_DOWN"));
  }
}
