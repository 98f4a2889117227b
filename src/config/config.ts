import { z } from "zod";
import { isLoopback } from "../base/loopback.ts";
import { type Parsed, parseSettings, type Sources } from "./parse.ts";
import { providerSettings } from "./providers.ts";
import {
  choice,
  count,
  duration,
  flag,
  hosts,
  type ListenAddress,
  line,
  listenAddress,
  optionalSize,
  peerAddress,
  secretKeys,
  size,
  storageAddress,
  tubeName,
  webOrigins,
} from "./setting-types.ts";

const NO_SEALING_KEYS =
  "must be set where storage is MongoDB, to the same for every instance; `openssl rand -base64 32` makes a key";

/**
 * Every setting, once: its type, default, check and description. `grpcListen` here is
 * `grpc_listen` in the settings file and USHER_GRPC_LISTEN in the environment. After a change
 * `npm run generate` writes docs/settings.md anew.
 */
export const settings = z
  .object({
    storage: storageAddress(
      "sqlite:usher-data",
      "Where tasks and users are kept. A folder is made if it is not there; one process at a time may use it. A database of a MongoDB replica set is for any number of instances; its name is `usher` where the URL has none.",
    ),
    grpcListen: listenAddress("127.0.0.1:50051", "Where gRPC is served."),
    httpListen: listenAddress(
      "127.0.0.1:8080",
      "Where Connect, gRPC-Web, JSON and the health pages are served.",
    ),
    httpAllowedHosts: hosts(
      "By which hosts `http_listen` may be called, beside `localhost` and its own addresses, such as the name that a proxy passes on. On loopback any other host is refused with HOST_NOT_ALLOWED, since a web site can make its name point there; elsewhere hosts are checked only where this is set.",
    ),
    httpAllowedOrigins: webOrigins(
      "The origins of web pages whose scripts may call `http_listen`, as the address bar has them: CORS lets them. `*` is every origin. Any other but the listener's own is refused with ORIGIN_NOT_ALLOWED. Cookies are never let through.",
    ),
    allowInsecureNetwork: flag(
      false,
      "Allows the listeners on addresses that other machines reach, though nothing is encrypted and no caller is asked who it is. Only for a network that you trust whole.",
    ),
    logLevel: choice(["debug", "info", "warn", "error"], "info", "The least that is logged."),
    shutdownGrace: duration(
      "10s",
      "How long calls under way may go on after SIGTERM or SIGINT before they are cut off.",
      { min: "1ms", max: "1h" },
    ),

    queue: z.object({
      maxTaskSize: size(
        "1MiB",
        "The most that the payload and the attributes of one task may have together.",
        { min: "1KiB", max: "64MiB" },
      ),
      maxRequestSize: size("16MiB", "The most that one request may have.", {
        min: "64KiB",
        max: "256MiB",
      }),
      cacheSize: size(
        "256MiB",
        "How much memory may keep payloads, so that a take need not read them from the database.",
        { min: "0", max: "1024GiB" },
      ),
      maxTemporarySize: optionalSize(
        "How much memory the tasks of temporary tubes may take together; past it a put is refused with MEMORY_FULL. Without it: a quarter of the memory of the machine or container, shown at the start.",
        { min: "0", max: "1024GiB" },
      ),
    }),

    cluster: z.object({
      advertise: peerAddress(
        "Where the other instances on the same MongoDB reach the gRPC listener of this one. Without it: where that listens, and by the name of the machine where it listens on every address.",
      ),
      life: duration(
        "5s",
        "How long an instance on MongoDB may give no sign of life before the others take its queues over.",
        { min: "1s", max: "5m" },
      ),
    }),

    auth: z.object({
      sessionLife: duration("7d", "How long a session lives after its start or its last renewal."),
      maxSessionsPerUser: count(
        100,
        "How many sessions a user may have. A sign-in beyond that ends the oldest.",
        { min: 1, max: 1_000 },
      ),
      maxMailsPerAddress: count(
        5,
        "How many mails to one address may be asked for within 15 minutes, of all kinds together: activation codes and reset tokens, whoever sends them. Notices count too, and are sent in any case.",
        { min: 1, max: 1_000 },
      ),
      sessionRenewBefore: duration(
        "2d",
        "How long before its end a session that is checked is renewed.",
      ),
      socialCheckTime: duration(
        "2d",
        "How long after a provider last confirmed that a user consents it is asked again, by a check of a session that was opened through it. Consent that is withdrawn ends the session; a provider that is down does not.",
        { min: "1m", max: "3650d" },
      ),
      issuer: line(
        "usher",
        "The `iss` of access tokens: who signs them. Services that check them compare it.",
      ),
      audience: line("usher", "The `aud` of access tokens: whom they are for. Compared likewise."),
      stateLife: duration("10m", "How long a user may take to sign in at a provider.", {
        min: "1s",
        max: "1d",
      }),
      passwordStrength: choice(
        ["none", "whocares", "easy", "common", "moderate", "violence", "nightmare"],
        "common",
        "What a new password must have: nothing, 2, 6, 8, 12, 16 or 24 characters, of 0, 1, 2, 2, 3, 4 or 4 of the groups lower case, upper case, digits and anything else. From `common` up it must not be one of those that are tried first.",
      ),
      passwordMemory: size(
        "19MiB",
        "How much memory it takes to hash a password (argon2id, two passes). The more, the longer a guess takes, and a sign-in. A password is hashed anew at the first sign-in after a change.",
        { min: "1MiB", max: "1GiB" },
      ),
      mailTube: tubeName(
        "The tube that activation codes, reset tokens and notices of changed passwords are put into as tasks, for a worker that mails them. Made at the start, of kind FIFOTTL. Without it callers send the mail.",
      ),
      returnCodes: flag(
        true,
        "Tells activation codes and reset tokens to callers, too, where `mail_tube` is set.",
      ),
      sealingKeys: secretKeys(
        "The keys that seal providers' tokens, signing keys and mail in MongoDB, the same for every instance. Required there. The first seals and every one opens: put a new key before the others, and keep the old ones for as long as anything is sealed with them. With SQLite a key is made beside the data, and this setting is not looked at.",
      ),
      auditLife: duration("365d", "How long audit events are kept.", {
        min: "1d",
        max: "3650d",
      }),

      ...providerSettings,
    }),
  })
  .superRefine((config, context) => {
    const complain = (path: string[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    if (!config.allowInsecureNetwork) {
      for (const key of ["grpcListen", "httpListen"] as const) {
        if (!isLoopback(config[key].host)) complain([key], beyondLoopback(config[key]));
      }
    }
    if (config.storage.kind === "mongodb" && config.auth.sealingKeys === undefined) {
      complain(["auth", "sealingKeys"], NO_SEALING_KEYS);
    }
    if (!config.auth.returnCodes && config.auth.mailTube === undefined) {
      complain(["auth", "returnCodes"], "must be true unless auth.mail_tube is set");
    }
    if (config.auth.sessionRenewBefore >= config.auth.sessionLife) {
      complain(["auth", "sessionRenewBefore"], "must be shorter than auth.session_life");
    }
    for (const name of Object.keys(config.auth.oidc)) {
      if (Object.hasOwn(providerSettings, name)) {
        complain(["auth", "oidc", name], "is the name of another provider; choose another name");
      }
    }
    if (config.queue.maxTaskSize > config.queue.maxRequestSize) {
      complain(["queue", "maxTaskSize"], "must not be above queue.max_request_size");
    }
  });

/** The settings of one server. Durations are in milliseconds, sizes in bytes. */
export type Config = z.output<typeof settings>;

/** Reads every setting. Returns each fault as a line for the operator; no line has a secret. */
export function parseConfig(sources: Sources): Parsed<Config> {
  return parseSettings(settings, sources);
}

function beyondLoopback({ host }: ListenAddress): string {
  return `other machines could reach ${host} and nothing there is encrypted or asks who calls; listen on 127.0.0.1, or set allow_insecure_network to true`;
}
