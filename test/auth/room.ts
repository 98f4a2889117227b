import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  type Client,
  ConnectError,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { pino } from "pino";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import type { GraphPerson } from "../../src/app/demo/graph-stand-in.ts";
import { createAuthService } from "../../src/auth/handlers/service.ts";
import type { MailQueue } from "../../src/auth/mail/mail-outbox.ts";
import type { AuthRepository } from "../../src/auth/repository.ts";
import { type AuthSettings, readAuthSettings } from "../../src/auth/settings.ts";
import type { Reason } from "../../src/base/errors.ts";
import { parseConfig } from "../../src/config/config.ts";
import { toConnectError } from "../../src/server/error-status.ts";
import { openSealingKeys } from "../../src/storage/sqlite/auth/sealing-keys.ts";
import { StepClock } from "../support/step-clock.ts";
import { type Graph, startGraph } from "./graph-stand-in.ts";
import { repositoriesFor } from "./repositories.ts";

export const CLIENT_SECRET = "the-secret-of-the-application";
export const REDIRECT_URI = "https://app.example/back";
export const TIMEOUT_MS = 1_000;
export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

/** AuthService on a real database and a local Graph API, behind a client. */
export interface Room {
  readonly client: Client<typeof AuthService>;
  readonly repository: AuthRepository;
  readonly graph: Graph;
  readonly clock: StepClock;
  readonly folder: string;
  /** Everything that was logged, as lines of JSON. */
  readonly logged: readonly string[];
  /** What the key page shows. */
  publicKeys(): Promise<object>;
}

export interface RoomGiven {
  readonly person?: GraphPerson;
  /** Settings other than those that Facebook's stand-in needs and the defaults. */
  readonly facebook?: Partial<AuthSettings["facebook"]>;
  readonly settings?: Partial<AuthSettings>;
  readonly mailQueue?: MailQueue;
}

/** What AuthService is told by an operator who sets nothing. */
export function defaultSettings(): AuthSettings {
  const parsed = parseConfig({ env: {}, readSecretFile: () => "" });
  assert.ok("config" in parsed);
  return readAuthSettings(parsed.config);
}

/** Starts a room of its own for one test. */
export async function startRoom(t: TestContext, given: RoomGiven = {}): Promise<Room> {
  const app = { clientId: "1234567890", clientSecret: CLIENT_SECRET };
  const person = given.person ?? {
    id: "10226",
    email: "ann@example.com",
    first_name: "Ann",
    last_name: "Lee",
  };
  const graph = await startGraph(app, person);
  const folder = mkdtempSync(join(tmpdir(), "usher-auth-"));
  const repositories = await repositoriesFor(t, folder);
  const repository = await repositories.open();
  const clock = new StepClock();
  const logged: string[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => logged.push(line) });
  const defaults = defaultSettings();
  const facebook = {
    ...defaults.facebook,
    ...app,
    redirectUris: [REDIRECT_URI, "https://other.example/back"],
    authUrl: graph.authUrl,
    graphUrl: graph.graphUrl,
    requestTimeoutMs: TIMEOUT_MS,
    ...given.facebook,
  };
  const keys = openSealingKeys(folder);
  const mail = given.mailQueue && { mailQueue: given.mailQueue };
  // A hash that costs next to nothing, since tests make many.
  const settings = { ...defaults, passwordMemoryKiB: 64, facebook, ...given.settings };
  const auth = createAuthService({ repository, keys, settings, clock, log, ...mail });
  t.after(async () => {
    await auth.close();
    await graph.close();
    await repositories.close();
    rmSync(folder, { recursive: true });
  });
  const transport = createRouterTransport(
    (router) => router.service(AuthService, auth.implementation),
    {
      router: {
        interceptors: [
          (next) => async (request) => {
            try {
              const response = await next(request);
              if (!response.stream) return response;
              return { ...response, message: withConnectErrors(response.message) };
            } catch (error) {
              throw toConnectError(error);
            }
          },
        ],
      },
    },
  );
  const client = createClient(AuthService, transport);
  const { publicKeys } = auth;
  return { client, repository, graph, clock, folder, logged, publicKeys };
}

async function* withConnectErrors<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error);
  }
}

/** Walks the provider's login page as a browser does. */
export async function browse(
  url: string,
): Promise<{ readonly code: string; readonly state: string; readonly deviceId: string }> {
  const response = await fetch(url, { redirect: "manual" });
  const location = response.headers.get("location");
  assert.ok(location, "the login page sends the browser back");
  const { searchParams } = new URL(location);
  return {
    code: searchParams.get("code") ?? "",
    state: searchParams.get("state") ?? "",
    deviceId: searchParams.get("device_id") ?? "",
  };
}

/** The first half of a social sign-in: what the browser brings back. */
export async function beginAt(
  { client }: Pick<Room, "client">,
  provider: string,
  clientState = "",
): Promise<{ readonly provider: string } & Awaited<ReturnType<typeof browse>>> {
  const asked = { provider, redirectUri: REDIRECT_URI, clientState };
  const { url } = await client.getSocialAuthUrl(asked);
  return { provider, ...(await browse(url)) };
}

/** The same at Facebook. */
export function beginAtFacebook(
  room: Pick<Room, "client">,
  clientState = "",
): ReturnType<typeof beginAt> {
  return beginAt(room, "facebook", clientState);
}

/** A whole social sign-in. Returns the session's token. */
export async function signInAtFacebook(room: Room): Promise<string> {
  const { session } = await room.client.socialAuth(await beginAtFacebook(room));
  assert.ok(session?.token);
  return session.token;
}

/** Expects a call to fail with a reason and, for INVALID_PARAMS, to name a field. */
export async function refused(
  call: Promise<unknown>,
  reason: Reason,
  field?: string,
): Promise<ConnectError> {
  const error = await call.then(
    () => assert.fail(`${reason} was expected`),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  const [info] = error.findDetails(ErrorInfoSchema);
  assert.equal(info?.reason, reason, error.message);
  const [badRequest] = error.findDetails(BadRequestSchema);
  assert.equal(badRequest?.fieldViolations[0]?.field, field);
  return error;
}
