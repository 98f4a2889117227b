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
