import { randomFillSync } from "node:crypto";
import type { Alarm } from "./alarm.ts";

/** One worker's hold on one task. */
export interface Lease {
  readonly token: string;
  readonly slot: number;
  readonly fence: number;
  /** Infinity: it ends with its session. */
  deadline: number;
  readonly session: Session | undefined;
  /** A stream that counts what it holds. */
  readonly holder: LeaseHolder | undefined;
  /** False as long as a holder that tells what it begins has not told so. */
  begun: boolean;
}

/** The leases of one worker, which live and end together. */
export interface Session {
  readonly id: string;
  readonly ttlMs: number;
  /** When it ends if nothing names it before. A session with users does not end. */
  expiresAt: number;
  readonly leases: Set<Lease>;
  readonly users: Set<SessionUser>;
  alarm: Alarm | undefined;
  /** It has ended: a lease that comes back to it is over at once. */
  over: boolean;
}

/** Something that lives as long as a session: a waiting take, an open stream. */
export interface SessionUser {
  sessionEnded(): void;
}

export interface LeaseHolder {
  /** Whether it tells of each lease when the work is begun. */
  readonly tellsBegun: boolean;
  /** The lease is void, settled or lost. */
  leaseEnded(lease: Lease): void;
  /** It is held again: the settlement was not kept by the store. */
  leaseRestored(lease: Lease): void;
}

/**
 * The leases that are held, found by fence. A token begins with its fence, and a number is found
 * faster than a text.
 */
export class Leases {
  readonly #byFence = new Map<number, Lease>();
  /** The place in a token where its fence begins. */
  readonly #at: number;

  /** The prefix is that of every token. */
  constructor(prefix: string) {
    this.#at = prefix.length;
  }

  get(token: string): Lease | undefined {
    const lease = this.#byFence.get(fenceIn(token, this.#at));
    return lease?.token === token ? lease : undefined;
  }

  add(lease: Lease): void {
    this.#byFence.set(lease.fence, lease);
  }

  remove(lease: Lease): void {
    this.#byFence.delete(lease.fence);
  }

  values(): IterableIterator<Lease> {
    return this.#byFence.values();
  }
}

const DOT = 46;
const COLON = 58;

/** The number before the dot, in base 36. For a text of another form it is some number. */
function fenceIn(token: string, from: number): number {
  let fence = 0;
  for (let at = from; at < token.length; at++) {
    const code = token.charCodeAt(at);
    if (code === DOT) break;
    // A digit, or a letter from `a` on.
    fence = fence * 36 + (code < COLON ? code - 48 : code - 87);
  }
  return fence;
}

const POOL_BYTES = 12 * 1024;
const TOKEN_BYTES = 12;

/**
 * Makes lease tokens: the shard's prefix, the fence, and 96 random bits. The fence makes each
 * unique, the random bits make it impossible to guess.
 */
export class LeaseTokens {
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  readonly #prefix: string;
  #used = POOL_BYTES;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(fence: number): string {
    if (this.#used === POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const random = this.#pool.toString("base64url", this.#used, this.#used + TOKEN_BYTES);
    this.#used += TOKEN_BYTES;
    return `${this.#prefix}${fence.toString(36)}.${random}`;
  }
}
