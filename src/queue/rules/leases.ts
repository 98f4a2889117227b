import { randomFillSync } from "node:crypto";
import type { Session } from "./sessions.ts";

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
}

export interface LeaseHolder {
  /** The lease is void, settled or lost. */
  leaseEnded(lease: Lease): void;
  /** It is held again: the settlement was not kept by the store. */
  leaseRestored(lease: Lease): void;
}

/**
 * The leases that are held, by their fences, which their tokens begin with: a number is found
 * faster than a text.
 */
export class Leases {
  readonly #byFence = new Map<number, Lease>();
  /** Where in a token its fence begins. */
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

/** The number before the dot, in base 36; of any other text, any number. */
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

/** Makes lease tokens: the shard's prefix, the fence, so that no two are alike, and 96 random bits, so that none can be guessed. */
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
