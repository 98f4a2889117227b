import { randomBytes } from "node:crypto";
import { UsherError } from "../../base/errors.ts";
import type { SessionRecord } from "../repository.ts";
import type { Alarm } from "../structures/deadlines.ts";
import type { Core } from "./core.ts";
import type { Lease } from "./leases.ts";

export const DEFAULT_SESSION_TTL_MS = 60_000;

/** Something that lives as long as a session: a waiting take, an open stream. */
export interface SessionUser {
  sessionEnded(): void;
}

/** Where sessions live that were opened in other shards. */
export interface SessionHomes {
  /**
   * Asks whether a session lives on, and renews it if someone here uses it. Resolves with when it
   * ends; undefined: it is over. Rejects where its home does not answer.
   */
  ask(id: string, inUse: boolean): Promise<number | undefined>;
  /** A session of this shard is over: others may hold leases of it. */
  ended(id: string): void;
}

/** A session with leases in other shards is asked for at its home this many times in its ttl. */
const ASKED_IN_TTL = 3;

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
  readonly #prefix: string;

  /** `releaseLeases` is called with what an ended session held. */
  constructor(core: Core, releaseLeases: (leases: readonly Lease[]) => void) {
    this.#core = core;
    this.#releaseLeases = releaseLeases;
    this.#prefix = core.shard?.prefix ?? "";
  }

  open(ttlMs: number): Session {
    return this.#add({
      id: this.#prefix + randomBytes(18).toString("base64url"),
      ttlMs,
      expiresAt: this.#core.clock.now() + ttlMs,
    });
  }

  /** Finds a session and leaves it as it is. Throws SESSION_NOT_FOUND. */
  get(id: string): Session {
    this.#core.advance();
    const session = this.#sessions.get(id);
    if (session === undefined) throw new UsherError("SESSION_NOT_FOUND");
    return session;
  }

  /** Finds and renews a session. Throws SESSION_NOT_FOUND. */
  renew(id: string): Session {
    const session = this.get(id);
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

  /** A session of another shard, which has just been renewed there, is used here. */
  adopt(record: SessionRecord): void {
    const known = this.#sessions.get(record.id);
    if (known === undefined) this.#add(record);
    else known.expiresAt = Math.max(known.expiresAt, record.expiresAt);
  }

  /** Ends a session that is over at its home, and releases its leases. Answers whether it was here. */
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

  #isOwn(id: string): boolean {
    return id.startsWith(this.#prefix);
  }

  #watch(session: Session): void {
    if (!this.#isOwn(session.id)) {
      this.#watchForeign(session);
      return;
    }
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
    if (this.#isOwn(session.id)) this.#core.shard?.sessions.ended(session.id);
  }

  #watchForeign(session: Session): void {
    const due = this.#core.clock.now() + session.ttlMs / ASKED_IN_TTL;
    session.alarm = this.#core.deadlines.setAlarm(due, () => void this.#askHome(session));
  }

  async #askHome(session: Session): Promise<void> {
    if (session.users.size === 0 && session.leases.size === 0) {
      this.#sessions.delete(session.id);
      return;
    }
    let expiresAt: number | undefined = session.expiresAt;
    try {
      expiresAt = await this.#core.shard?.sessions.ask(session.id, session.users.size > 0);
    } catch (error) {
      this.#core.log.warn({ err: error }, "the home of a session does not answer");
    }
    if (session.over) return;
    if (expiresAt !== undefined && expiresAt > this.#core.clock.now()) {
      session.expiresAt = expiresAt;
      this.#watchForeign(session);
    } else {
      this.#end(session);
      this.#core.serveTouched();
    }
  }
}
