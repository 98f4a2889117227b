import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { WatchRevocationsResponseSchema } from "../../../gen/usher/auth/v1/sessions_pb.ts";
import type { Revocation } from "../repository.ts";
import type { RevocationFeed, RevocationNews } from "../sessions/revocation-feed.ts";
import type { AuthHandlers } from "./handlers.ts";

/** WatchRevocations, for services that check access tokens by themselves. */
export function revocationHandlers(feed: RevocationFeed): AuthHandlers<"watchRevocations"> {
  return {
    async *watchRevocations({ cursor }, { signal }) {
      for await (const news of feed.watch(cursor, signal)) yield toResponse(news);
    },
  };
}

function toResponse({
  cursor,
  revocation,
}: RevocationNews): MessageInitShape<typeof WatchRevocationsResponseSchema> {
  if (revocation === undefined) return { cursor };
  const time = timestampFromMs(revocation.time);
  return { cursor, time, revocation: toRevocation(revocation) };
}

function toRevocation({ userId, sessionId }: Revocation) {
  return sessionId === ""
    ? ({ case: "userRevoked", value: { userId } } as const)
    : ({ case: "sessionRevoked", value: { sessionId, userId } } as const);
}
