import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/usher/auth/v1/auth_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../logging/log.ts";
import { createAccessTokens } from "../access-tokens/access-tokens.ts";
import { createAttemptLimiter, FAILURE_LIFE_MS } from "../accounts/attempt-limiter.ts";
import { createMailLimiter } from "../accounts/mail-limiter.ts";
import { createRefusalEvents } from "../accounts/refusal-events.ts";
import { createMailWriter, noMail } from "../mail/mail-messages.ts";
import { createMailRelay, type MailQueue } from "../mail/mail-outbox.ts";
import { createPasswordHasher } from "../passwords/hasher.ts";
import { createProviderHttp } from "../providers/http.ts";
import { createProviders } from "../providers/registry.ts";
import type { AuthRepository, KeyStore } from "../repository.ts";
import { createSealer } from "../sealing/sealer.ts";
import { RevocationFeed } from "../sessions/revocation-feed.ts";
import type { AuthSettings } from "../settings.ts";
import { createSweeper } from "../sweeper.ts";
import { accountHandlers } from "./accounts.ts";
import { auditHandlers } from "./audit.ts";
import { revocationHandlers } from "./revocations.ts";
import { sessionHandlers } from "./sessions.ts";
import { socialHandlers } from "./social.ts";
import { userHandlers } from "./users.ts";

/** The parts that AuthService is made of. */
export interface AuthParts {
  readonly repository: AuthRepository;
  readonly keys: KeyStore;
  readonly settings: AuthSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Where mail goes; without it callers send it themselves. */
  readonly mailQueue?: MailQueue | undefined;
}

/** AuthService, ready to be served. */
export interface AuthRoom {
  /** The calls that are there; the others are unimplemented. They throw `UsherError`. */
  readonly implementation: Partial<ServiceImpl<typeof AuthService>>;
  /** The keys that prove access tokens, for `/.well-known/jwks.json`. */
  publicKeys(): Promise<object>;
  /** Ends the streams, which would go on otherwise. */
  drain(): void;
  /** Ends what goes on beside the calls. Call it when no call is under way any more. */
  close(): Promise<void>;
}

export function createAuthService(parts: AuthParts): AuthRoom {
  const { repository, keys, settings, clock, log, mailQueue: queue } = parts;
  const http = createProviderHttp(log);
  const sealer = createSealer(keys);
  const relay = queue && createMailRelay({ repository, queue, sealer, clock, log });
  // This sends mail that was kept before the last stop.
  relay?.poke();
  const sweeper = createSweeper({
    repository,
    clock,
    log,
    attemptLifeMs: FAILURE_LIFE_MS,
    eventLifeMs: settings.auditLifeMs,
  });
  const refusals = createRefusalEvents({ repository, clock, log });
  const feed = new RevocationFeed({ repository, clock, log });
  const accessTokens = createAccessTokens({ ...settings, repository, sealer, clock, log });
  const room = {
    repository,
    settings,
    providers: createProviders(settings, { http, log, clock }),
    sealer,
    clock,
    log,
    accessTokens,
    hasher: createPasswordHasher({ memoryKiB: settings.passwordMemoryKiB, passes: 2, lanes: 1 }),
    attempts: createAttemptLimiter(repository, clock),
    refusals,
    mails: createMailLimiter(repository, clock, settings.maxMailsPerAddress),
    mail: relay ? createMailWriter(sealer, settings.returnCodes, relay.poke) : noMail,
  };

  const implementation = {
    ...accountHandlers(room),
    ...userHandlers(room),
    ...sessionHandlers(room),
    ...socialHandlers(room),
    ...revocationHandlers(feed),
    ...auditHandlers(room),
  };
  return {
    implementation,
    publicKeys: () => accessTokens.publicKeys(),
    drain: () => feed.close(),
    async close() {
      feed.close();
      await sweeper.close();
      await refusals.close();
      await relay?.close();
      await http.close();
    },
  };
}
