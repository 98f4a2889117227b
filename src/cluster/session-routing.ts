import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { ClusterService } from "../../gen/usher/cluster/v1/cluster_pb.ts";
import { UsherError } from "../base/errors.ts";
import type { Log } from "../logging/log.ts";
import type { SessionHomes, SessionLife } from "../queue/rules/shard.ts";
import { type Companion, isForwarded, type Router } from "./shard-router.ts";
import { shardOfToken } from "./shards.ts";

/**
 * Headers of a forwarded call: how long the session lasts after a renewal, and how much of that is
 * left.
 */
const TTL = "usher-session-ttl-ms";
const LEFT = "usher-session-left-ms";

/** How long another instance may take to answer for a session. */
const ANSWER_MS = 2_000;

/**
 * Sessions over all shards. A session lives in the shard that its id names: its home. A call about
 * a tube of another shard first renews the session at its home, and carries along what it has left.
 * While the other shard holds leases of the session it asks at the home. When the session ends the
 * home tells every instance.
 */
export class SessionRouting implements SessionHomes {
  readonly #router: Router;
  readonly #log: Log;
  /** Sessions that ended here and of which someone has not heard yet. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(router: Router, log: Log) {
    this.#router = router;
    this.#log = log;
  }

  /** What a call that names a session carries to a shard. Undefined: nothing. */
  async bring(
    session: string,
    shard: number,
    context: HandlerContext,
  ): Promise<Companion | undefined> {
    const home = session === "" ? undefined : shardOfToken(session);
    if (home === undefined || home === shard) return undefined;
    // If the session is over the shard says so itself, after its other checks of the call.
    const record = isForwarded(context)
      ? broughtBy(session, context)
      : await this.#atHome(session, home, true);
    if (record === undefined) return undefined;
    return {
      headers: { [TTL]: String(record.ttlMs), [LEFT]: String(record.leftMs) },
      before: ({ engine }) => engine.adoptSession(record),
    };
  }

  async ask(id: string, inUse: boolean): Promise<number | undefined> {
    const home = shardOfToken(id);
    return home === undefined ? undefined : (await this.#atHome(id, home, inUse))?.leftMs;
  }

  ended(id: string): void {
    this.#ending.set(
      id,
      this.#endEverywhere(id).finally(() => this.#ending.delete(id)),
    );
  }

  /**
   * Resolves when the leases of a session that has just ended here are released everywhere. It does
   * not wait long for an instance that does not answer: that one asks by itself soon.
   */
  async endHasArrived(id: string): Promise<void> {
    await this.#ending.get(id);
  }

  async #endEverywhere(id: string): Promise<void> {
    const { membership, peers } = this.#router;
    const options = { timeoutMs: ANSWER_MS };
    const told = membership.others.map((other) =>
      peers.unary(other, ClusterService.method.endSession, { session: id }, options),
    );
    for (const { status, ...rest } of await Promise.allSettled([this.endHere(id), ...told])) {
      if (status === "rejected") this.#log.debug(rest, "an instance was not told of a session");
    }
  }

  /** Releases the leases that an ended session holds in shards of this instance. */
  async endHere(id: string): Promise<void> {
    await Promise.all(this.#router.local.all().map(({ engine }) => engine.endForeignSession(id)));
  }

  /** Answers another instance about a session whose home is here. */
  answer(id: string, renew: boolean): SessionLife {
    const home = shardOfToken(id);
    const local = home === undefined ? undefined : this.#router.here(home);
    if (local === undefined)
      throw new UsherError(home === undefined ? "SESSION_NOT_FOUND" : "NOT_OWNER");
    return local.engine.askForSession(id, renew);
  }

  /** Undefined: it is over. Rejects where its home does not answer. */
  async #atHome(id: string, home: number, renew: boolean): Promise<SessionLife | undefined> {
    try {
      const owner = await this.#router.membership.ownerOf(home, { timeoutMs: ANSWER_MS });
      if (owner === "here") return this.answer(id, renew);
      const request = { session: id, renew };
      const answer = await this.#router.peers.unary(
        owner,
        ClusterService.method.askForSession,
        request,
        { timeoutMs: ANSWER_MS },
      );
      const { ttl, left } = answer;
      if (ttl === undefined || left === undefined) return undefined;
      return { id, ttlMs: durationMs(ttl), leftMs: durationMs(left) };
    } catch (error) {
      if (error instanceof UsherError && error.reason === "SESSION_NOT_FOUND") return undefined;
      throw error instanceof UsherError && error.reason === "NOT_OWNER"
        ? new UsherError("SHARD_UNAVAILABLE", { cause: error })
        : error;
    }
  }
}

/** Reads what the forwarding instance has learned at the session's home. */
function broughtBy(id: string, { requestHeader }: HandlerContext): SessionLife | undefined {
  const ttlMs = Number(requestHeader.get(TTL) ?? Number.NaN);
  const leftMs = Number(requestHeader.get(LEFT) ?? Number.NaN);
  if (!Number.isSafeInteger(ttlMs) || !Number.isSafeInteger(leftMs)) return undefined;
  return { id, ttlMs, leftMs };
}
