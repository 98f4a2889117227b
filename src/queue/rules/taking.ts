import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { QueueStore } from "../repository.ts";
import type { Alarm } from "../structures/alarm.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Leases, Session, SessionUser } from "../structures/leases.ts";
import { type Lease, type LeaseHolder, LeaseTokens } from "../structures/leases.ts";
import type { Link } from "../structures/linked-list.ts";
import { state } from "../structures/task-state.ts";
import type { TaskTable } from "../structures/task-table.ts";
import { AnswerSize } from "./answer-size.ts";
import { DEFAULT_LEASE_MS } from "./limits.ts";
import type { NumberReservation } from "./number-reservation.ts";
import type { Serving } from "./serving.ts";
import type { Sessions } from "./sessions.ts";
import type { ShardPart } from "./shard.ts";
import type { TaskPlaces } from "./task-places.ts";
import { leasedView, type TaskView, withPayloads } from "./task-view.ts";
import type { Taker, Tube } from "./tube.ts";
import type { TubeDirectory } from "./tube-directory.ts";

interface Parts {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly table: TaskTable;
  readonly deadlines: Deadlines;
  readonly numbers: NumberReservation;
  readonly tubes: TubeDirectory;
  readonly leases: Leases;
  readonly shard: ShardPart | undefined;
  readonly serving: Serving;
  readonly places: TaskPlaces;
}

/** One take ends at most this many expired tasks, so that other calls get their turn. */
const MOST_EXPIRED_AT_ONCE = 5_000;

export interface TakeOptions {
  readonly maxTasks: number;
  /** How long to wait for the first task, milliseconds. */
  readonly waitMs: number;
  /** Empty: none. */
  readonly session: string;
  /** When it aborts, what was taken goes back at once. */
  readonly signal: AbortSignal | undefined;
}

/**
 * What one take was given. The tasks are seen as they were at that moment: a turn later another call
 * may have ended the leases, and other tasks may have their slots.
 */
interface Grant {
  readonly leases: readonly Lease[];
  readonly tasks: readonly TaskView[] | Promise<readonly TaskView[]>;
}

const NOTHING: Grant = { leases: [], tasks: [] };

export class Taking {
  readonly #parts: Parts;
  readonly #sessions: Sessions;
  readonly #tokens: LeaseTokens;
  readonly #expire: (tube: Tube, slot: number) => void;

  /** `expire` ends a ready task whose ttl is over before its deadline was noticed. */
  constructor(parts: Parts, sessions: Sessions, expire: (tube: Tube, slot: number) => void) {
    this.#parts = parts;
    this.#tokens = new LeaseTokens(parts.shard?.prefix ?? "");
    this.#sessions = sessions;
    this.#expire = expire;
  }

  /**
   * Leases up to `maxTasks` ready tasks; none when the time is over, or the server stops. Rejects
   * with TUBE_NOT_FOUND, also when the tube is deleted meanwhile, SESSION_NOT_FOUND,
   * STORAGE_UNAVAILABLE, or the signal's reason.
   */
  async take(tubeName: string, options: TakeOptions): Promise<readonly TaskView[]> {
    const tube = this.#parts.serving.tube(tubeName);
    const session = this.#sessions.optional(options.session);
    tube.calls.take++;
    let grant = NOTHING;
    if (tube.takers.size === 0) {
      grant = this.#grant(tube, this.lease(tube, options.maxTasks, session, undefined));
    }
    if (grant.leases.length === 0 && options.waitMs > 0) {
      const { closing } = this.#parts.serving;
      if (closing === undefined) grant = await this.#wait(tube, session, options);
      else if (closing.reason !== "SHUTTING_DOWN") throw closing;
    }
    return this.#deliver(grant, options.signal);
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
    if (tube.pausedUntil !== 0 || this.#parts.shard?.mayLease() === false) return leases;
    const { table, clock } = this.#parts;
    const now = clock.monotonic();
    let expired = 0;
    const room = new AnswerSize(this.#parts.table, tube);
    while (leases.length < maxTasks) {
      const slot = tube.order.peek();
      if (slot === -1) break;
      if ((table.expiresAt[slot] as number) <= now) {
        if (expired++ === MOST_EXPIRED_AT_ONCE) {
          // Other calls have their turn first. Those who wait here are served after them.
          this.#parts.deadlines.setAlarm(now, () => this.#parts.serving.touch(tube));
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

  /** The tasks as the holder of these leases sees them. Rejects with STORAGE_UNAVAILABLE. */
  views(tube: Tube, leases: readonly Lease[]): TaskView[] | Promise<TaskView[]> {
    const slots = leases.map((lease) => lease.slot);
    const views = slots.map((slot) => leasedView(this.#parts, tube, slot));
    return withPayloads(this.#parts, views, slots);
  }

  /** The tasks of these leases could not be handed over: they go back as if never taken. */
  giveBack(leases: readonly Lease[]): void {
    const parts = this.#parts;
    for (const lease of leases) {
      if (parts.leases.get(lease.token) !== lease) continue;
      const { slot } = lease;
      const tube = parts.tubes.of(slot);
      parts.places.displace(tube, slot);
      parts.places.endLease(lease);
      (parts.table.attempts[slot] as number)--;
      parts.places.setState(tube, slot, "giveBack", state.READY);
      parts.places.freeGroup(tube, slot);
      parts.places.place(tube, slot);
      tube.totals.released++;
      parts.places.announce(tube, slot, "RELEASED");
    }
    parts.serving.serveTouched();
  }

  /** Leases by their tokens; those that are not held are left out. */
  held(tokens: readonly string[]): Lease[] {
    return tokens
      .map((token) => this.#parts.leases.get(token))
      .filter((lease) => lease !== undefined);
  }

  #leaseNext(
    tube: Tube,
    now: number,
    session: Session | undefined,
    holder: LeaseHolder | undefined,
  ): Lease {
    const parts = this.#parts;
    const { table } = parts;
    const slot = tube.order.take();
    const fence = parts.numbers.fence();
    const ttrMs = table.ttrMs[slot] as number;
    const unlimited = session === undefined ? now + DEFAULT_LEASE_MS : Infinity;
    const lease: Lease = {
      token: this.#tokens.next(fence),
      slot,
      fence,
      deadline: ttrMs === Infinity ? unlimited : now + ttrMs,
      session,
      holder,
      begun: holder?.tellsBegun !== true,
    };
    table.lease[slot] = lease;
    (table.attempts[slot] as number)++;
    tube.totals.taken++;
    parts.leases.add(lease);
    session?.leases.add(lease);
    parts.places.setState(tube, slot, "take", state.LEASED);
    parts.places.place(tube, slot);
    parts.places.announce(tube, slot, "TAKEN");
    return lease;
  }

  #grant(tube: Tube, leases: readonly Lease[]): Grant {
    return leases.length === 0 ? NOTHING : { leases, tasks: this.views(tube, leases) };
  }

  #wait(tube: Tube, session: Session | undefined, options: TakeOptions): Promise<Grant> {
    return new Promise<Grant>((resolve, reject) => {
      const { deadlines, clock } = this.#parts;
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
          resolve(this.#grant(tube, leases));
        },
        dismiss: (error) => {
          leave();
          if (error.reason === "SHUTTING_DOWN") resolve(NOTHING);
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
      alarm = deadlines.setAlarm(clock.monotonic() + options.waitMs, () => taker.accept(tube, []));
      signal?.addEventListener("abort", onAbort, { once: true });
      if (session !== undefined) this.#sessions.enter(session, user);
    });
  }

  async #deliver(
    { leases, tasks }: Grant,
    signal: AbortSignal | undefined,
  ): Promise<readonly TaskView[]> {
    try {
      const shown = await tasks;
      if (!signal?.aborted) return shown;
    } catch (error) {
      this.giveBack(leases);
      throw error;
    }
    this.giveBack(leases);
    throw signal.reason;
  }
}
