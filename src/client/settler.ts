import type { UsherClientError } from "./errors.ts";
import type { LeasedTask } from "./leased-task.ts";

/** How a task is settled. */
export interface Settlement {
  readonly held: LeasedTask;
  readonly kind: "ack" | "release" | "bury" | "touch";
  /** Of a release, in milliseconds; undefined: as the tube's back-off says. */
  readonly delayMs?: number | undefined;
  /** Of a release or a burial. */
  readonly reason?: string;
  /** Of a touch, in milliseconds. */
  readonly extendMs?: number;
  /** Whether it was sent before and not answered: it may have been carried out then. */
  readonly repeated?: boolean;
  /** Called with the answer; undefined: it is done. */
  readonly answered?: (error: UsherClientError | undefined) => void;
}

/** Where settlements go. */
export interface SettleSink {
  /**
   * Resolves when the server has answered, with the errors of those that failed, by their leases.
   * Rejects if there is no answer and none will come.
   */
  settle(settlements: readonly Settlement[]): Promise<ReadonlyMap<string, UsherClientError>>;
}

export interface SettlerOptions {
  /** Whether settlements without an answer are sent again to the next sink, or dropped. */
  readonly again: boolean;
  readonly failed: (settlement: Settlement, error: UsherClientError) => void;
  /** Called each time after gathered settlements were sent. */
  readonly flushed: () => void;
}

/** The most leases that a server takes in one message. */
const MOST_LEASES = 10_000;
/** Messages that may be without an answer: the server commits one while the next one gathers. */
const WINDOW = 2;

/**
 * Gathers settlements. Those that come in one turn of the event loop, or while earlier ones are
 * under way, go into one message.
 */
export class Settler {
  readonly #options: SettlerOptions;
  #sink: SettleSink | undefined;
  #gathered: Settlement[] = [];
  /** How many messages are under way to the present sink. */
  #underWay = 0;
  /** How many settlements are not answered, gathered or under way. */
  #open = 0;
  #flushSetAt: number | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** Settlements that are not answered. */
  get open(): number {
    return this.#open;
  }

  /** When the oldest settlement of this turn was added, as `performance.now`. */
  get waitingSince(): number | undefined {
    return this.#flushSetAt;
  }

  add(settlement: Settlement): void {
    if (settlement.kind !== "touch") settlement.held.isSettled = true;
    this.#open++;
    this.#gathered.push(settlement);
    this.#flushSoon();
  }

  /** Sends settlements to this sink from now on. Undefined: they gather. */
  use(sink: SettleSink | undefined): void {
    this.#sink = sink;
    this.#underWay = 0;
    if (this.#gathered.length > 0) this.#flushSoon();
  }

  /** Drops the settlements that were not sent. */
  drop(error: UsherClientError): void {
    this.#drop(this.#gathered.splice(0), error);
  }

  /** Resolves when every settlement is answered. */
  async idle(): Promise<void> {
    while (this.#open > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
  }

  #flushSoon(): void {
    if (this.#flushSetAt !== undefined) return;
    this.#flushSetAt = performance.now();
    setImmediate(() => {
      this.#flushSetAt = undefined;
      this.#flush();
      this.#options.flushed();
    });
  }

  #flush(): void {
    while (this.#sink !== undefined && this.#underWay < WINDOW && this.#gathered.length > 0) {
      const all = this.#gathered.length <= MOST_LEASES;
      const settlements = all ? this.#gathered : this.#gathered.slice(0, MOST_LEASES);
      this.#gathered = all ? [] : this.#gathered.slice(MOST_LEASES);
      void this.#send(this.#sink, settlements);
    }
  }

  async #send(sink: SettleSink, settlements: readonly Settlement[]): Promise<void> {
    this.#underWay++;
    try {
      this.#answered(settlements, await sink.settle(settlements));
    } catch (error) {
      // A sink rejects with nothing else.
      if (this.#options.again) {
        for (const each of settlements) this.#gathered.push({ ...each, repeated: true });
      } else {
        this.#drop(settlements, error as UsherClientError);
      }
    }
    if (sink === this.#sink) this.#underWay--;
    if (this.#gathered.length > 0) this.#flushSoon();
  }

  #answered(
    settlements: readonly Settlement[],
    errors: ReadonlyMap<string, UsherClientError>,
  ): void {
    // This comes first, since failed settlements may be added again.
    this.#open -= settlements.length;
    for (const settlement of settlements) {
      const error = errors.size === 0 ? undefined : errors.get(settlement.held.lease);
      settlement.answered?.(error);
      if (error !== undefined) this.#options.failed(settlement, error);
    }
    this.#wakeIfIdle();
  }

  #drop(settlements: readonly Settlement[], error: UsherClientError): void {
    this.#open -= settlements.length;
    for (const { answered } of settlements) answered?.(error);
    this.#wakeIfIdle();
  }

  #wakeIfIdle(): void {
    if (this.#open === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
