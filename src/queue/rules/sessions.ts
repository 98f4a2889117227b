import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { UsherError } from "../../base/errors.ts";
import type { Log } from "../../logging/log.ts";
import type { Deadlines } from "../structures/deadlines.ts";
import type { Lease, Session, SessionUser } from "../structures/leases.ts";
import type { Serving } from "./serving.ts";
import type { SessionLife, ShardPart } from "./shard.ts";

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly deadlines: Deadlines;
  readonly shard: ShardPart | undefined;
  readonly serving: Serving;
}

export const DEFAULT_SESSION_TTL_MS = 60_000;

/**
 * A shard that holds leases of a session of another shard asks there this many times in the ttl.
 */
const ASKED_IN_TTL = 3;

/** A session as callers see it. */
export interface SessionView {
  readonly id: string;
  readonly ttlMs: number;
  /** Wall time, milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** A session at its beginning here; `expiresAt` is the engine's time. */
type NewSession = Pick<Session, "id" | "ttlMs" | "expiresAt">;

export class Sessions {
  readonly #parts: Parts;
  readonly #sessions = new Map<string, Session>();
  readonly #releaseLeases: (leases: readonly Lease[]) => void;
  readonly #prefix: string;

  /** `releaseLeases` is called with what an ended session held. */
  constructor(parts: Parts, releaseLeases: (leases: readonly Lease[]) => void) {
    this.#parts = parts;
    this.#releaseLeases = releaseLeases;
    this.#prefix = parts.shard?.prefix ?? "";
  }

  open(ttlMs: number): Session {
    return this.#add({
      id: this.#prefix + randomBytes(18).toString("base64url"),
      ttlMs,
      expiresAt: this.#parts.clock.monotonic() + ttlMs,
    });
  }

  /** Finds a session and leaves it as it is. Throws SESSION_NOT_FOUND. */
  get(id: string): Session {
    this.#parts.serving.advance();
    const session = this.#sessions.get(id);
    if (session === undefined) throw new UsherError("SESSION_NOT_FOUND");
    return session;
  }

  /** Finds and renews a session. Throws SESSION_NOT_FOUND. */
  renew(id: string): Session {
    const session = this.get(id);
    // The alarm is not moved: when it rings it sees the new time.
    session.expiresAt = this.#parts.clock.monotonic() + session.ttlMs;
    return session;
  }

  /** As `renew`; an empty id is no session. */
  optional(id: string): Session | undefined {
    return id === "" ? undefined : this.renew(id);
  }

  /** Ends a session and releases its leases. Throws SESSION_NOT_FOUND. */
  close(id: string): void {
    this.#end(this.renew(id));
  }

  /** A session of another shard, which has just been renewed there, is used here. */
  adopt({ id, ttlMs, leftMs }: SessionLife): void {
    const known = this.#sessions.get(id);
    const expiresAt = this.#parts.clock.monotonic() + leftMs;
    if (known === undefined) this.#add({ id, ttlMs, expiresAt });
    else known.expiresAt = Math.max(known.expiresAt, expiresAt);
  }

  /**
   * Ends a session that is over in its own shard, and releases its leases. Returns whether it was
   * known here.
   */
  endForeign(id: string): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined || this.#isOwn(id)) return false;
    this.#end(session);
    return true;
  }

  enter(session: Session, user: SessionUser): void {
    session.users.add(user);
  }

  leave(session: Session, user: SessionUser): void {
    if (session.users.delete(user))
      session.expiresAt = this.#parts.clock.monotonic() + session.ttlMs;
  }

  restore(session: NewSession): Session {
    return this.#add(session);
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  all(): NewSession[] {
    return [...this.#sessions.values()].map(({ id, ttlMs, expiresAt }) => ({
      id,
      ttlMs,
      expiresAt,
    }));
  }

  view({ id, ttlMs, expiresAt }: Session): SessionView {
    return { id, ttlMs, expiresAt: expiresAt + this.#parts.clock.wallOffset };
  }

  life({ id, ttlMs, expiresAt }: Session): SessionLife {
    return { id, ttlMs, leftMs: expiresAt - this.#parts.clock.monotonic() };
  }

  #add({ id, ttlMs, expiresAt }: NewSession): Session {
    const session = {
      id,
      ttlMs,
      expiresAt,
      leases: new Set<Lease>(),
      users: new Set<SessionUser>(),
      alarm: undefined,
      over: false,
    };
    this.#sessions.set(session.id, session);
    this.#watch(session);
    return session;
  }

  #isOwn(id: string): boolean {
    return id.startsWith(this.#prefix);
  }

  #watch(session: Session): void {
    if (!this.#isOwn(session.id)) {
      this.#watchForeign(session);
      return;
    }
    session.alarm = this.#parts.deadlines.setAlarm(session.expiresAt, () => {
      const now = this.#parts.clock.monotonic();
      if (session.users.size > 0) session.expiresAt = now + session.ttlMs;
      if (session.expiresAt > now) this.#watch(session);
      else this.#end(session);
    });
  }

  #end(session: Session): void {
    this.#sessions.delete(session.id);
    session.over = true;
    this.#parts.deadlines.clearAlarm(session.alarm);
    for (const user of [...session.users]) user.sessionEnded();
    this.#releaseLeases([...session.leases]);
    if (this.#isOwn(session.id)) this.#parts.shard?.sessions.ended(session.id);
  }

  #watchForeign(session: Session): void {
    const due = this.#parts.clock.monotonic() + session.ttlMs / ASKED_IN_TTL;
    session.alarm = this.#parts.deadlines.setAlarm(due, () => void this.#askHome(session));
  }

  async #askHome(session: Session): Promise<void> {
    if (session.users.size === 0 && session.leases.size === 0) {
      this.#sessions.delete(session.id);
      return;
    }
    const { clock, shard } = this.#parts;
    let expiresAt = session.expiresAt;
    try {
      const leftMs = (await shard?.sessions.ask(session.id, session.users.size > 0)) ?? 0;
      expiresAt = clock.monotonic() + leftMs;
    } catch (error) {
      this.#parts.log.warn({ err: error }, "the home of a session does not answer");
    }
    if (session.over) return;
    if (expiresAt > clock.monotonic()) {
      session.expiresAt = expiresAt;
      this.#watchForeign(session);
    } else {
      this.#end(session);
      this.#parts.serving.serveTouched();
    }
  }
}
