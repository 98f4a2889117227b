import type { DatabaseSync } from "node:sqlite";
import type { FoundSession } from "./session-checks.ts";

/** What a check found is remembered for so many sessions, about 2 KB each. */
const MOST_REMEMBERED = 10_000;

/**
 * What checks of sessions found. A web backend checks the same session with every request, and two
 * reads of the database take longer than everything else of a check.
 *
 * It is never out of date. This process alone has the database, and triggers that live as long as
 * the connection tell of every user, session and social account that a statement changes or
 * removes. All sessions of that user are forgotten then. A transaction that is rolled back has only
 * forgotten too much.
 */
export class SessionCache {
  readonly #found = new Map<string, FoundSession>();
  readonly #tokensOf = new Map<string, Set<string>>();

  /** The one cache of a connection, since its triggers call a single function. */
  static of(handle: DatabaseSync): SessionCache {
    const known = caches.get(handle);
    if (known !== undefined) return known;
    const cache = new SessionCache(handle);
    caches.set(handle, cache);
    return cache;
  }

  private constructor(handle: DatabaseSync) {
    handle.function("forget_sessions_of", (userId) => {
      this.#forget(String(userId));
      return null;
    });
    handle.exec(triggers);
  }

  /** What was found by this token, the one in use, unless its time is over. */
  get(tokenHash: Uint8Array, now: number): FoundSession | undefined {
    const found = this.#found.get(keyOf(tokenHash));
    return found !== undefined && found.session.expireTime > now ? found : undefined;
  }

  /** Call it outside of transactions: what one has changed may yet be rolled back. */
  remember(tokenHash: Uint8Array, found: FoundSession): void {
    const key = keyOf(tokenHash);
    const userId = found.user.id;
    this.#found.set(key, found);
    const tokens = this.#tokensOf.get(userId);
    if (tokens === undefined) this.#tokensOf.set(userId, new Set([key]));
    else tokens.add(key);
    if (this.#found.size <= MOST_REMEMBERED) return;
    const [oldest] = this.#found.values();
    if (oldest !== undefined) this.#forget(oldest.user.id);
  }

  #forget(userId: string): void {
    for (const key of this.#tokensOf.get(userId) ?? []) this.#found.delete(key);
    this.#tokensOf.delete(userId);
  }
}

const caches = new WeakMap<DatabaseSync, SessionCache>();

function keyOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

const triggers = [
  ["users", "UPDATE", "old.id"],
  ["users", "DELETE", "old.id"],
  ["sessions", "UPDATE", "old.user_id"],
  ["sessions", "DELETE", "old.user_id"],
  ["social_accounts", "INSERT", "new.user_id"],
  ["social_accounts", "UPDATE", "old.user_id"],
  ["social_accounts", "UPDATE", "new.user_id"],
  ["social_accounts", "DELETE", "old.user_id"],
]
  .map(
    ([table, event, user], index) => `
      CREATE TEMP TRIGGER forget_sessions_${index} AFTER ${event} ON main.${table}
      BEGIN SELECT forget_sessions_of(${user}); END;`,
  )
  .join("");
