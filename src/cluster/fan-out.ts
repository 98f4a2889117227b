import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type {
  GetStatisticsRequest,
  GetStatisticsResponseSchema,
  ListTubesRequest,
  ListTubesResponseSchema,
} from "../../gen/usher/queue/v1/tube_pb.ts";
import { invalid, UsherError } from "../base/errors.ts";
import { pageSize, pageToken } from "../base/request-fields.ts";
import type { LocalShard } from "./local-shards.ts";
import type { Owner } from "./membership.ts";
import { type InstanceRecord, SHARDS } from "./registry.ts";
import { isForwarded, isLost, isMoved, type Router } from "./shard-router.ts";

/** A header of a forwarded call about every tube: the shards to answer from. */
const OF_SHARDS = "usher-shards";

type List = MessageInitShape<typeof ListTubesResponseSchema>;
type Statistics = MessageInitShape<typeof GetStatisticsResponseSchema>;

/** Tubes of all shards, by name, a page of them. */
export async function listTubes(
  router: Router,
  request: ListTubesRequest,
  context: HandlerContext,
): Promise<List> {
  const size = pageSize("page_size", request.pageSize);
  const answers = await askAll<List>(router, context, {
    here: ({ service }) => service.listTubes(request, context),
    there: (owner, options) =>
      router.peers.unary(owner, QueueService.method.listTubes, request, options),
  });
  return pageOf(answers, size, ({ name = "" }) => name);
}

/** One page of what shards have answered, by the names of the tubes. */
function pageOf<Tube>(
  answers: readonly { readonly tubes?: readonly Tube[]; readonly nextPageToken?: string }[],
  size: number,
  nameOf: (tube: Tube) => string,
): { tubes: Tube[]; nextPageToken: string } {
  const tubes = answers.flatMap((answer) => answer.tubes ?? []);
  tubes.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const page = tubes.slice(0, size);
  // A shard that has more tubes has filled the page alone.
  const more = tubes.length > size || answers.some(({ nextPageToken }) => nextPageToken);
  const last = page.at(-1);
  return { tubes: page, nextPageToken: more && last !== undefined ? pageToken(nameOf(last)) : "" };
}

/** Figures of the tubes of all shards, by name, a page of them. */
export async function statistics(
  router: Router,
  request: GetStatisticsRequest,
  context: HandlerContext,
): Promise<Statistics> {
  const size = pageSize("page_size", request.pageSize);
  const answers = await askAll<Statistics>(router, context, {
    here: ({ service }) => service.getStatistics(request, context),
    there: (owner, options) =>
      router.peers.unary(owner, QueueService.method.getStatistics, request, options),
  });
  return pageOf(answers, size, ({ tube = "" }) => tube);
}

interface Ways<Answer> {
  here(local: LocalShard): Answer | Promise<Answer>;
  there(
    owner: InstanceRecord,
    options: {
      headers: Record<string, string>;
      timeoutMs: number | undefined;
      signal: AbortSignal;
    },
  ): Promise<unknown>;
}

/**
 * Asks each owner once, for all of its shards. Shards that have moved meanwhile are asked again.
 */
async function askAll<Answer>(
  router: Router,
  context: HandlerContext,
  ways: Ways<Answer>,
): Promise<Answer[]> {
  if (isForwarded(context)) return ask(router, forwardedShards(context), ways);
  for (let tries = 1; ; tries++) {
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
    const owners = await Promise.all(shards.map((shard) => router.ownerOf(shard, context)));
    const byOwner = Map.groupBy(shards, (shard) => owners[shard] as Owner);
    try {
      const answers = await Promise.all(
        [...byOwner].map(([owner, ofOwner]) =>
          owner === "here"
            ? ask(router, ofOwner, ways)
            : askOwner(router, owner, ofOwner, context, ways),
        ),
      );
      return answers.flat();
    } catch (error) {
      // These calls change nothing, so a lost answer is asked for again.
      if (!isMoved(error) && !isLost(error)) throw error;
      if (tries === MOST_TRIES) throw new UsherError("SHARD_UNAVAILABLE", { cause: error });
    }
  }
}

const MOST_TRIES = 20;

/** Asks another instance, which owns all these shards. */
async function askOwner<Answer>(
  router: Router,
  owner: InstanceRecord,
  shards: readonly number[],
  context: HandlerContext,
  ways: Ways<Answer>,
): Promise<Answer[]> {
  const headers = { [OF_SHARDS]: shards.join(",") };
  const options = { headers, timeoutMs: context.timeoutMs(), signal: context.signal };
  try {
    return [(await ways.there(owner, options)) as Answer];
  } catch (error) {
    if (isMoved(error)) for (const shard of shards) router.membership.forget(shard, owner);
    throw error;
  }
}

async function ask<Answer>(
  router: Router,
  shards: readonly number[],
  ways: Ways<Answer>,
): Promise<Answer[]> {
  return Promise.all(
    shards.map((shard) => {
      const local = router.here(shard);
      if (local === undefined) throw new UsherError("NOT_OWNER");
      return ways.here(local);
    }),
  );
}

/** Throws INVALID_PARAMS where a forwarded call does not say from which shards to answer. */
function forwardedShards({ requestHeader }: HandlerContext): number[] {
  const list = requestHeader.get(OF_SHARDS);
  if (list === null) throw invalid(OF_SHARDS, "is required in a call that was forwarded");
  return list.split(",").map(Number);
}
