import { setTimeout as sleep } from "node:timers/promises";
import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type Duration, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { UsherError } from "../base/errors.ts";
import type { LocalShard, LocalShards } from "./local-shards.ts";
import type { Membership, Owner } from "./membership.ts";
import { FORWARDED, type Peers } from "./peers.ts";
import type { InstanceRecord } from "./registry.ts";

/** How long a call without a deadline waits for a shard to have an owner. */
const PATIENCE_MS = 15_000;
/**
 * A call stops this long before its deadline, so that the caller gets UNAVAILABLE and not a
 * time-out.
 */
const PART_OF_DEADLINE = 0.9;
/** The pause between two tries at an owner that does not take the call. */
const PAUSE_MS = 20;

/**
 * Calls that may be carried out twice: those that only read, and a take, whose first tasks go back.
 */
const repeatable: ReadonlySet<string> = new Set([
  "getTube",
  "getTask",
  "listTasks",
  "getStatistics",
  "take",
  "renewSession",
]);

type Unary<Input extends DescMessage, Output extends DescMessage> = DescMethodUnary<Input, Output>;

/** What goes with a call to the owner: a step before it here, or headers on the way there. */
export interface Companion {
  readonly headers: Readonly<Record<string, string>>;
  /** Done on the shard before the call, where that is here. */
  before(local: LocalShard): void;
}

/**
 * Brings a call to the owner of its shard, on this or another instance, and again if the shard has
 * moved.
 */
export class Router {
  readonly local: LocalShards;
  readonly membership: Membership;
  readonly peers: Peers;

  constructor(local: LocalShards, membership: Membership, peers: Peers) {
    this.local = local;
    this.membership = membership;
    this.peers = peers;
  }

  /** The service of a shard that is served here; undefined for others. */
  here(shard: number): LocalShard | undefined {
    return this.membership.isAlive ? this.local.get(shard) : undefined;
  }

  /**
   * One call about one shard. Rejects as the call itself does, and with SHARD_UNAVAILABLE where the
   * shard has no owner in time, or its owner was lost in the middle of the call.
   */
  async unary<Input extends DescMessage, Output extends DescMessage>(
    shard: number,
    method: Unary<Input, Output>,
    request: MessageShape<Input>,
    context: HandlerContext,
    companion?: Companion,
  ): Promise<MessageInitShape<Output>> {
    const began = performance.now();
    for (let triedAt = began; ; ) {
      const local = this.here(shard);
      try {
        if (local !== undefined) {
          companion?.before(local);
          return await call(local, method, request, context);
        }
        if (isForwarded(context)) throw new UsherError("NOT_OWNER");
        const owner = await this.ownerOf(shard, context, began);
        if (owner === "here") continue;
        return await this.#ask(owner, shard, method, request, context, companion);
      } catch (error) {
        if (!isMoved(error)) throw error;
        if (isForwarded(context)) throw error;
        await this.#beforeAgain(began, context);
        const now = performance.now();
        shortenWait(request, now - triedAt);
        triedAt = now;
      }
    }
  }

  /**
   * The error that ends a stream. If its shard has moved it asks the caller to open another stream.
   */
  endOfStream(error: unknown, context: HandlerContext): unknown {
    if (!isMoved(error)) return error;
    if (this.membership.isStopping) return new UsherError("SHUTTING_DOWN");
    return isForwarded(context) ? error : new UsherError("SHARD_UNAVAILABLE", { cause: error });
  }

  /** Who has the shard, waiting as long as the call may. */
  ownerOf(shard: number, context: HandlerContext, began = performance.now()): Promise<Owner> {
    const timeoutMs = patience(context) - (performance.now() - began);
    return this.membership.ownerOf(shard, { timeoutMs, signal: context.signal });
  }

  async #ask<Input extends DescMessage, Output extends DescMessage>(
    owner: InstanceRecord,
    shard: number,
    method: Unary<Input, Output>,
    request: MessageShape<Input>,
    context: HandlerContext,
    companion: Companion | undefined,
  ): Promise<MessageInitShape<Output>> {
    try {
      return (await this.peers.unary(owner, method, request as MessageInitShape<Input>, {
        headers: companion?.headers,
        timeoutMs: context.timeoutMs() ?? waitOf(request) + PATIENCE_MS,
        signal: context.signal,
      })) as MessageInitShape<Output>;
    } catch (error) {
      if (isMoved(error)) this.membership.forget(shard, owner);
      else if (isTooLate(error) && context.timeoutMs() === undefined) {
        throw new UsherError("SHARD_UNAVAILABLE", { cause: error });
      } else if (isLost(error) && repeatable.has(method.localName)) {
        throw new UsherError("NOT_OWNER", { cause: error });
      }
      throw error;
    }
  }

  /** Waits a moment before a call is tried again; throws where there is no time for it. */
  async #beforeAgain(began: number, context: HandlerContext): Promise<void> {
    context.signal.throwIfAborted();
    if (performance.now() - began + PAUSE_MS > patience(context)) {
      throw new UsherError("SHARD_UNAVAILABLE");
    }
    await sleep(PAUSE_MS);
  }
}

/** Whether the call came from another instance. */
export function isForwarded(context: HandlerContext): boolean {
  return context.requestHeader.has(FORWARDED);
}

/** Whether nothing was done because the shard has another owner. */
export function isMoved(error: unknown): boolean {
  return error instanceof UsherError && error.reason === "NOT_OWNER";
}

/** The error of a call without a deadline that has taken too long. */
function isTooLate(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.DeadlineExceeded;
}

/** Whether the owner was lost in the middle of the call. */
export function isLost(error: unknown): boolean {
  return error instanceof UsherError && error.reason === "SHARD_UNAVAILABLE";
}

/** Runs a method of a shard's own service. */
async function call<Input extends DescMessage, Output extends DescMessage>(
  { service }: LocalShard,
  method: Unary<Input, Output>,
  request: MessageShape<Input>,
  context: HandlerContext,
): Promise<MessageInitShape<Output>> {
  type Handler = (
    request: MessageShape<Input>,
    context: HandlerContext,
  ) => Promise<MessageInitShape<Output>> | MessageInitShape<Output>;
  const handlers = service as unknown as Readonly<Record<string, Handler>>;
  return (handlers[method.localName] as Handler)(request, context);
}

function patience(context: HandlerContext): number {
  const timeoutMs = context.timeoutMs();
  return timeoutMs === undefined
    ? PATIENCE_MS
    : Math.min(PATIENCE_MS, timeoutMs * PART_OF_DEADLINE);
}

/** How long a request asks to wait. */
function waitOf(request: object): number {
  const { wait } = request as { wait?: Duration };
  return wait === undefined ? 0 : durationMs(wait);
}

/** Shortens the wait of a request by the time that it has waited already. */
function shortenWait(request: object, byMs: number): void {
  const waiting = request as { wait?: Duration };
  if (waiting.wait === undefined) return;
  const left = waitOf(request) - Math.round(byMs);
  waiting.wait = durationFromMs(Math.max(0, left));
}
