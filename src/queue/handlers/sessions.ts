import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import type { SessionSchema } from "../../../gen/usher/queue/v1/session_pb.ts";
import { invalid } from "../../base/errors.ts";
import { durationMs } from "../../base/request-fields.ts";
import { DEFAULT_SESSION_TTL_MS, type SessionView } from "../rules/sessions.ts";
import type { QueueHandlerOptions } from "./options.ts";
import { sessionId } from "./request-fields.ts";

const SHORTEST_TTL_MS = 1_000;
const LONGEST_TTL_MS = 24 * 3_600 * 1_000;

type SessionHandlers = Pick<
  ServiceImpl<typeof QueueService>,
  "openSession" | "renewSession" | "closeSession"
>;

export function sessionHandlers({ engine }: QueueHandlerOptions): SessionHandlers {
  return {
    openSession(request) {
      const ttlMs = durationMs("ttl", request.ttl) ?? DEFAULT_SESSION_TTL_MS;
      if (ttlMs < SHORTEST_TTL_MS || ttlMs > LONGEST_TTL_MS) {
        throw invalid("ttl", "must be 1 s to 24 h");
      }
      return { session: sessionMessage(engine.openSession(ttlMs)) };
    },

    renewSession(request) {
      return { session: sessionMessage(engine.renewSession(given(request.session))) };
    },

    async closeSession(request) {
      await engine.closeSession(given(request.session));
      return {};
    },
  };
}

function given(session: string): string {
  if (session === "") throw invalid("session", "is required");
  return sessionId("session", session);
}

function sessionMessage(session: SessionView): MessageInitShape<typeof SessionSchema> {
  return {
    id: session.id,
    ttl: durationFromMs(session.ttlMs),
    expireTime: timestampFromMs(session.expiresAt),
  };
}
