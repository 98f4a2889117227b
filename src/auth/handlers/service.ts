import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/usher/auth/v1/auth_pb.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { createProviderHttp } from "../provider-http.ts";
import { createProviders } from "../providers/registry.ts";
import type { AuthRepository, KeyStore } from "../repository.ts";
import { createSealer } from "../sealing.ts";
import type { AuthSettings } from "../settings.ts";
import { sessionHandlers } from "./sessions.ts";
import { socialHandlers } from "./social.ts";
import { userHandlers } from "./users.ts";

/** What AuthService is made of. */
export interface AuthParts {
  readonly repository: AuthRepository;
  readonly keys: KeyStore;
  readonly settings: AuthSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/** AuthService, ready to be put on a wire. */
export interface AuthRoom {
  /** The calls that are there; the others are unimplemented. They throw `UsherError`. */
  readonly implementation: Partial<ServiceImpl<typeof AuthService>>;
  /** Closes the connections to providers. Call it when no call is under way any more. */
  close(): Promise<void>;
}

export function createAuthService({ repository, keys, settings, clock, log }: AuthParts): AuthRoom {
  const http = createProviderHttp(log);
  const room = {
    repository,
    settings,
    providers: createProviders(settings, { http, log, clock }),
    sealer: createSealer(keys),
    clock,
  };

  const implementation = {
    ...userHandlers(room),
    ...sessionHandlers(room),
    ...socialHandlers(room),
  };
  return { implementation, close: () => http.close() };
}
