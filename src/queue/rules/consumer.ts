import { UsherError } from "../../base/errors.ts";
import type { Lease, LeaseHolder, Session, SessionUser } from "../structures/leases.ts";
import type { Link } from "../structures/linked-list.ts";
import type { TaskTable } from "../structures/task-table.ts";
import type { Serving, TurnTaker } from "./serving.ts";
import type { Sessions } from "./sessions.ts";
import type { Failure, Settlement, Settling } from "./settling.ts";
import type { Taking } from "./taking.ts";
import type { TaskView } from "./task-view.ts";
import type { Taker, Tube } from "./tube.ts";

interface Parts {
  readonly table: TaskTable;
  readonly serving: Serving;
}

export interface ConsumerOptions {
  readonly tubes: readonly Tube[];
  /** How many tasks it may hold unsettled, at first. */
  readonly prefetch: number;
  readonly session: Session | undefined;
  /** Whether the worker tells what it begins; see `begin`. */
  readonly tellsBegun?: boolean;
  /** Called with tasks for the worker. Pass `bytes` to `read` when they have been sent. */
  readonly deliver: (tasks: readonly TaskView[], bytes: number) => void;
  /** A lease ended, and not because this consumer settled it or gave it back. */
  readonly leaseEnded?: ((lease: string) => void) | undefined;
  /** The stream is over: a tube or its session is gone, the server stops, or the store failed. */
  readonly ended: (error: unknown) => void;
}

/** A worker that does not read gets no more tasks past this many bytes of payloads. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;

/**
 * The engine's end of a Work stream. It takes from its tubes while it holds less than `prefetch`.
 */
export class Consumer implements Taker, LeaseHolder, SessionUser, TurnTaker {
  readonly session: Session | undefined;
  readonly holder: LeaseHolder = this;
  readonly tellsBegun: boolean;
  readonly #parts: Parts;
  readonly #taking: Taking;
  readonly #sessions: Sessions;
  readonly #settling: Settling;
  readonly #options: ConsumerOptions;
  readonly #links = new Map<Tube, Link<Taker>>();
  readonly #unsettled = new Set<Lease>();
  /** Which of the tubes has the next turn. */
  #turn = 0;
  #prefetch: number;
  #unreadBytes = 0;
  /** True while the consumer itself ends leases. */
  #ending = false;
  #open = true;
  #over = false;
  #delivered = Promise.resolve();
  #drained: (() => void) | undefined;

  constructor(
    parts: Parts,
    rules: { taking: Taking; sessions: Sessions; settling: Settling },
    options: ConsumerOptions,
  ) {
    this.#parts = parts;
    this.#taking = rules.taking;
    this.#sessions = rules.sessions;
    this.#settling = rules.settling;
    this.#options = options;
    this.#prefetch = options.prefetch;
    this.session = options.session;
    this.tellsBegun = options.tellsBegun ?? false;
    if (this.session !== undefined) this.#sessions.enter(this.session, this);
    for (const tube of options.tubes) tube.consumers.add(this);
    this.#line();
  }

  get wanted(): number {
    if (this.#unreadBytes >= MOST_UNREAD_BYTES) return 0;
    return this.#prefetch - this.#unsettled.size;
  }

  accept(tube: Tube, leases: readonly Lease[]): void {
    this.#hold(tube, leases);
    // It goes behind the others, so that the takers of a tube share it.
    this.#leaveLine(tube);
    if (this.wanted > 0) this.#joinLine(tube);
    else this.#leaveLines();
  }

  /**
   * Takes from its tubes in turn, beginning behind the one that it took from last. Each gets an
   * equal share of what is wanted, and then what the others left. It stands in line where others
   * wait, and everywhere if it still wants tasks.
   */
  takeTurns(): void {
    const { tubes } = this.#options;
    const share = Math.ceil(this.wanted / tubes.length);
    for (const most of [share, Infinity]) {
      const first = this.#turn;
      for (let nth = 0; nth < tubes.length && this.#open && this.wanted > 0; nth++) {
        const place = (first + nth) % tubes.length;
        this.#takeTurn(tubes[place] as Tube, most, place + 1);
      }
    }
    if (this.wanted > 0) for (const tube of tubes) this.#joinLine(tube);
  }

  #takeTurn(tube: Tube, most: number, next: number): void {
    if (this.#links.has(tube) || tube.gone) return;
    if (tube.takers.size > 0) {
      this.#joinLine(tube);
      return;
    }
    const leases = this.#taking.lease(tube, Math.min(most, this.wanted), this.session, this);
    if (leases.length === 0) return;
    this.#turn = next;
    this.#hold(tube, leases);
  }

  #hold(tube: Tube, leases: readonly Lease[]): void {
    let bytes = 0;
    for (const lease of leases) {
      this.#unsettled.add(lease);
      bytes += this.#parts.table.size[lease.slot] as number;
    }
    this.#unreadBytes += bytes;
    this.#delivered = this.#deliver(tube, leases, bytes, this.#delivered);
  }

  /** A delivery is on its way to the worker: there is room for more. */
  read(bytes: number): void {
    const wanted = this.wanted;
    this.#unreadBytes -= bytes;
    if (wanted > 0 || !this.#open) return;
    this.#line();
    this.#parts.serving.serveTouched();
  }

  /** How many tasks it may hold unsettled from now on; 0: it takes no more. */
  setPrefetch(prefetch: number): void {
    this.#prefetch = prefetch;
    if (!this.#open) return;
    if (this.wanted > 0) {
      this.#line();
    } else {
      this.#leaveLines();
      // Those behind it may be served.
      for (const tube of this.#options.tubes) this.#parts.serving.touch(tube);
    }
    this.#parts.serving.serveTouched();
  }

  dismiss(error: UsherError): void {
    this.#end(error);
  }

  sessionEnded(): void {
    this.#end(new UsherError("SESSION_NOT_FOUND"));
  }

  leaseEnded(lease: Lease): void {
    const wanted = this.wanted;
    if (!this.#unsettled.delete(lease)) return;
    if (!this.#ending) this.#options.leaseEnded?.(lease.token);
    if (!this.#open && this.#unsettled.size === 0) this.#drained?.();
    // While it wants something it stands in line already.
    else if (wanted <= 0) this.#line();
  }

  leaseRestored(lease: Lease): void {
    this.#unsettled.add(lease);
    if (this.wanted > 0) return;
    this.#leaveLines();
    // Those behind it may be served.
    for (const tube of this.#options.tubes) this.#parts.serving.touch(tube);
  }

  settle(settlements: readonly Settlement[]): Promise<Failure[]> {
    // The leases have ended when the promise is returned.
    return this.#byItself(() => this.#settling.settleAll(settlements));
  }

  /** Tasks on which no work was begun go back as if never taken. Answers those not held. */
  giveBack(tokens: readonly string[]): Failure[] {
    if (tokens.length === 0) return [];
    const held = this.#taking.held(tokens);
    this.#byItself(() => this.#taking.giveBack(held));
    return notHeld(tokens, held);
  }

  /** The worker is about to begin these tasks. Answers those not held. */
  begin(tokens: readonly string[]): Failure[] {
    if (tokens.length === 0) return [];
    const held = this.#taking.held(tokens);
    for (const lease of held) lease.begun = true;
    return notHeld(tokens, held);
  }

  /** Takes no more; resolves when nothing is unsettled. */
  drain(): Promise<void> {
    this.#open = false;
    this.#leaveLines();
    if (this.#unsettled.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  /**
   * Ends the stream. Tasks that did not reach the worker go back as if never taken. The others are
   * released, unless a session keeps them; of a worker that tells what it begins, those that were
   * not begun use no attempt. Where the server stops they go back without an attempt used: it is
   * not the worker's failure.
   */
  close(undelivered: readonly Lease[]): void {
    this.#stop();
    this.#ending = true;
    this.#taking.giveBack(undelivered);
    this.#drained?.();
    if (this.session !== undefined) this.#sessions.leave(this.session, this);
    else if (this.#parts.serving.closing !== undefined) this.#taking.giveBack([...this.#unsettled]);
    else this.#settling.fail([...this.#unsettled], "stream over");
  }

  /** Nobody is told of leases that end by this. */
  #byItself<T>(work: () => T): T {
    this.#ending = true;
    try {
      return work();
    } finally {
      this.#ending = false;
    }
  }

  #end(error: unknown): void {
    this.#stop();
    this.#options.ended(error);
  }

  /** From here on nothing is taken or delivered. */
  #stop(): void {
    this.#open = false;
    this.#over = true;
    this.#leaveLines();
    for (const tube of this.#options.tubes) tube.consumers.delete(this);
  }

  /** Stands in line at its tube, or takes turns at several soon, if it wants tasks. */
  #line(): void {
    if (this.wanted <= 0) return;
    const [only, second] = this.#options.tubes;
    if (second !== undefined) this.#parts.serving.soon(this);
    else if (only !== undefined) this.#joinLine(only);
  }

  #joinLine(tube: Tube): void {
    if (!this.#open || this.#links.has(tube)) return;
    this.#links.set(tube, tube.takers.push(this));
    this.#parts.serving.touch(tube);
  }

  #leaveLine(tube: Tube): void {
    const link = this.#links.get(tube);
    if (link !== undefined) tube.takers.remove(link);
    this.#links.delete(tube);
  }

  #leaveLines(): void {
    for (const [tube, link] of this.#links) tube.takers.remove(link);
    this.#links.clear();
  }

  /** Deliveries keep the order of takes, though payloads may have to be read first. */
  async #deliver(
    tube: Tube,
    leases: readonly Lease[],
    bytes: number,
    before: Promise<void>,
  ): Promise<void> {
    try {
      const tasks = await this.#taking.views(tube, leases);
      await before;
      if (this.#over) this.#taking.giveBack(leases);
      else this.#options.deliver(tasks, bytes);
    } catch (error) {
      this.#stop();
      this.#taking.giveBack(leases);
      this.#options.ended(error);
    }
  }
}

function notHeld(tokens: readonly string[], held: readonly Lease[]): Failure[] {
  if (held.length === tokens.length) return [];
  const known = new Set(held.map(({ token }) => token));
  const lost = tokens.filter((token) => !known.has(token));
  return lost.map((lease) => ({ lease, error: new UsherError("LEASE_LOST") }));
}
