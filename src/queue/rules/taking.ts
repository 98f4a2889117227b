import { UsherError } from "../../base/errors.ts";
import type { Alarm } from "../structures/deadlines.ts";
import type { Link } from "../structures/linked-list.ts";
import { AnswerRoom } from "./answer-size.ts";
import type { Core } from "./core.ts";
import { type Lease, type LeaseHolder, LeaseTokens } from "./leases.ts";
import { DEFAULT_LEASE_MS } from "./limits.ts";
import type { Session, Sessions, SessionUser } from "./sessions.ts";
import { state } from "./transitions.ts";
import type { Tube } from "./tube.ts";
import { leasedView, type TaskView, withPayloads } from "./views.ts";

/** More than this in one take would keep the process from everything else for too long. */
const MOST_EXPIRED_AT_ONCE = 5_000;

/** One who waits for a tube's tasks; served first come first served. */
export interface Taker {
  /** At least 1 while it is among the tube's takers. */
  readonly wanted: number;
  readonly session: Session | undefined;
  readonly holder: LeaseHolder | undefined;
  /** Hands over leased tasks. The taker leaves the tube's takers, or goes behind the others. */
  accept(tube: Tube, leases: readonly Lease[]): void;
  /** The tube is gone, or the server stops. */
  dismiss(error: UsherError): void;
}

export interface TakeOptions {
  readonly maxTasks: number;
  /** How long to wait for the first task, milliseconds. */
  readonly waitMs: number;
  /** Empty: none. */
  readonly session: string;
  /** When it aborts, what was taken goes back at once. */
  readonly signal: AbortSignal | undefined;
}

export class Taking {
  readonly #core: Core;
  readonly #sessions: Sessions;
  readonly #tokens: LeaseTokens;
  readonly #expire: (tube: Tube, slot: number) => void;

  /** `expire` ends a ready task whose ttl is over before its deadline was noticed. */
  constructor(core: Core, sessions: Sessions, expire: (tube: Tube, slot: number) => void) {
    this.#core = core;
    this.#tokens = new LeaseTokens(core.shard?.prefix ?? "");
    this.#sessions = sessions;
    this.#expire = expire;
  }

  /**
   * Leases up to `maxTasks` ready tasks; none when the time is over, or the server stops. Rejects
   * with TUBE_NOT_FOUND, also when the tube is deleted meanwhile, SESSION_NOT_FOUND,
   * STORAGE_UNAVAILABLE, or the signal's reason.
   */
  async take(tubeName: string, options: TakeOptions): Promise<TaskView[]> {
    const tube = this.#core.tube(tubeName);
    const session = this.#sessions.optional(options.session);
    tube.calls.take++;
    let leases: Lease[] = [];
    if (tube.takers.size === 0) {
      leases = this.lease(tube, options.maxTasks, session, undefined);
    }
    if (leases.length === 0 && options.waitMs > 0) {
      const { closing } = this.#core;
      if (closing === undefined) leases = await this.#wait(tube, session, options);
      else if (closing.reason !== "SHUTTING_DOWN") throw closing;
    }
    return this.#deliver(tube, leases, options.signal);
  }

  /** Serves those who wait, as far as there are tasks. */
  serve(tube: Tube): void {
    for (let first = tube.takers.first; first !== undefined; first = tube.takers.first) {
      const leases = this.lease(tube, first.wanted, first.session, first.holder);
      if (leases.length === 0) return;
      first.accept(tube, leases);
    }
  }

  /** Leases what is next in the order; nothing while the tube is paused. */
  lease(
    tube: Tube,
    maxTasks: number,
    session: Session | undefined,
    holder: LeaseHolder | undefined,
  ): Lease[] {
    const leases: Lease[] = [];
    if (tube.pausedUntil !== 0 || this.#core.shard?.mayLease() === false) return leases;
    const { table, clock } = this.#core;
    const now = clock.now();
    let expired = 0;
    const room = new AnswerRoom(this.#core, tube);
    while (leases.length < maxTasks) {
      const slot = tube.order.peek();
      if (slot === -1) break;
      if ((table.expiresAt[slot] as number) <= now) {
        if (expired++ === MOST_EXPIRED_AT_ONCE) {
          // The others have their turn first; who waits here is served after them.
          this.#core.deadlines.setAlarm(now, () => this.#core.touch(tube));
          break;
        }
        this.#expire(tube, slot);
        continue;
      }
      if (!room.add(slot)) break;
      leases.push(this.#leaseNext(tube, now, session, holder));
    }
    return leases;
  }

  /** What the holder of these leases is shown. Rejects with STORAGE_UNAVAILABLE. */
  views(tube: Tube, leases: readonly Lease[]): TaskView[] | Promise<TaskView[]> {
    const slots = leases.map((lease) => lease.slot);
    const views = slots.map((slot) => leasedView(this.#core, tube, slot));
    return withPayloads(this.#core, views, slots);
  }

  /** The tasks of these leases could not be handed over: they go back as if never taken. */
  giveBack(leases: readonly Lease[]): void {
    const core = this.#core;
    for (const lease of leases) {
      if (core.leases.get(lease.token) !== lease) continue;
      const { slot } = lease;
      const tube = core.tubeOf(slot);
      core.displace(tube, slot);
      core.endLease(lease);
      (core.table.attempts[slot] as number)--;
      core.setState(tube, slot, "giveBack", state.READY);
      core.freeGroup(tube, slot);
      core.place(tube, slot);
      core.announce(tube, slot, "RELEASED");
    }
    core.serveTouched();
  }

  /** Leases by their tokens; those that are not held are left out. */
  held(tokens: readonly string[]): Lease[] {
    return tokens
      .map((token) => this.#core.leases.get(token))
      .filter((lease) => lease !== undefined);
  }

  #leaseNext(
    tube: Tube,
    now: number,
    session: Session | undefined,
    holder: LeaseHolder | undefined,
  ): Lease {
    const core = this.#core;
    const { table } = core;
    const slot = tube.order.take();
    const fence = core.numbers.fence();
    const ttrMs = table.ttrMs[slot] as number;
    const unlimited = session === undefined ? now + DEFAULT_LEASE_MS : Infinity;
    const lease: Lease = {
      token: this.#tokens.next(fence),
      slot,
      fence,
      deadline: ttrMs === Infinity ? unlimited : now + ttrMs,
      session,
      holder,
    };
    table.lease[slot] = lease;
    (table.attempts[slot] as number)++;
    core.leases.add(lease);
    session?.leases.add(lease);
    core.setState(tube, slot, "take", state.LEASED);
    core.place(tube, slot);
    core.announce(tube, slot, "TAKEN");
    return lease;
  }

  #wait(tube: Tube, session: Session | undefined, options: TakeOptions): Promise<Lease[]> {
    return new Promise<Lease[]>((resolve, reject) => {
      const { deadlines, clock } = this.#core;
      const { signal } = options;
      if (signal?.aborted) throw signal.reason;
      let link: Link<Taker>;
      let alarm: Alarm;
      const leave = (): void => {
        tube.takers.remove(link);
        deadlines.clearAlarm(alarm);
        signal?.removeEventListener("abort", onAbort);
        if (session !== undefined) this.#sessions.leave(session, user);
      };
      const taker: Taker = {
        wanted: options.maxTasks,
        session,
        holder: undefined,
        accept: (_tube, leases) => {
          leave();
          resolve([...leases]);
        },
        dismiss: (error) => {
          leave();
          if (error.reason === "SHUTTING_DOWN") resolve([]);
          else reject(error);
        },
      };
      const user: SessionUser = {
        sessionEnded: () => taker.dismiss(new UsherError("SESSION_NOT_FOUND")),
      };
      const onAbort = (): void => {
        leave();
        reject(signal?.reason);
      };
      link = tube.takers.push(taker);
      alarm = deadlines.setAlarm(clock.now() + options.waitMs, () => taker.accept(tube, []));
      signal?.addEventListener("abort", onAbort, { once: true });
      if (session !== undefined) this.#sessions.enter(session, user);
    });
  }

  async #deliver(
    tube: Tube,
    leases: readonly Lease[],
    signal: AbortSignal | undefined,
  ): Promise<TaskView[]> {
    try {
      const views = await this.views(tube, leases);
      if (!signal?.aborted) return views;
    } catch (error) {
      this.giveBack(leases);
      throw error;
    }
    this.giveBack(leases);
    throw signal.reason;
  }
}
