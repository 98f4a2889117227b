import { randomBytes } from "node:crypto";
import { UsherError } from "../errors.ts";
import type { Core } from "./core.ts";
import type { Alarm } from "./deadlines.ts";
import type { Lease } from "./leases.ts";
import type { SessionRecord } from "./repository.ts";

export const DEFAULT_SESSION_TTL_MS = 60_000;

/** Something that lives as long as a session: a waiting take, an open stream. */
export interface SessionUser {
  sessionEnded(): void;
}

/** The leases of one worker, which live and end together. */
export interface Session {
  readonly id: string;
  readonly ttlMs: number;
  /** When it ends if nothing names it before; while it has users it does not. */
  expiresAt: number;
  readonly leases: Set<Lease>;
  readonly users: Set<SessionUser>;
  alarm: Alarm | undefined;
  /** It has ended: a lease that comes back to it is over at once. */
  over: boolean;
}

export class Sessions {
  readonly #core: Core;
  readonly #sessions = new Map<string, Session>();
  readonly #releaseLeases: (leases: readonly Lease[]) => void;

  /** `releaseLeases` is called with what an ended session held. */
  constructor(core: Core, releaseLeases: (leases: readonly Lease[]) => void) {
    this.#core = core;
    this.#releaseLeases = releaseLeases;
  }

  open(ttlMs: number): Session {
    return this.#add({
      id: randomBytes(18).toString("base64url"),
      ttlMs,
      expiresAt: this.#core.clock.now() + ttlMs,
    });
  }

  /** Finds and renews a session. Throws SESSION_NOT_FOUND. */
  renew(id: string): Session {
    this.#core.advance();
    const session = this.#sessions.get(id);
    if (session === undefined) throw new UsherError("SESSION_NOT_FOUND");
    // The alarm stays where it is and finds the new time when it rings.
    session.expiresAt = this.#core.clock.now() + session.ttlMs;
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

  enter(session: Session, user: SessionUser): void {
    session.users.add(user);
  }

  leave(session: Session, user: SessionUser): void {
    if (session.users.delete(user)) session.expiresAt = this.#core.clock.now() + session.ttlMs;
  }

  restore(record: SessionRecord): Session {
    return this.#add(record);
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  records(): SessionRecord[] {
    return [...this.#sessions.values()].map(({ id, ttlMs, expiresAt }) => ({
      id,
      ttlMs,
      expiresAt,
    }));
  }

  #add(record: SessionRecord): Session {
    const session = {
      ...record,
      leases: new Set<Lease>(),
      users: new Set<SessionUser>(),
      alarm: undefined,
      over: false,
    };
    this.#sessions.set(session.id, session);
    this.#watch(session);
    return session;
  }

  #watch(session: Session): void {
    session.alarm = this.#core.deadlines.setAlarm(session.expiresAt, () => {
      const now = this.#core.clock.now();
      if (session.users.size > 0) session.expiresAt = now + session.ttlMs;
      if (session.expiresAt > now) this.#watch(session);
      else this.#end(session);
    });
  }

  #end(session: Session): void {
    this.#sessions.delete(session.id);
    session.over = true;
    this.#core.deadlines.clearAlarm(session.alarm);
    for (const user of [...session.users]) user.sessionEnded();
    this.#releaseLeases([...session.leases]);
  }
}
