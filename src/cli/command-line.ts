import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import packageJson from "../../package.json" with { type: "json" };
import { runDemo } from "../app/demo/demo.ts";
import { MailTubeError } from "../app/mail-queue.ts";
import { queueLimits } from "../app/queue-limits.ts";
import { type RunningUsher, startUsher } from "../app/usher.ts";
import { systemClock } from "../base/clock.ts";
import { UsherError } from "../base/errors.ts";
import { isLoopback } from "../base/loopback.ts";
import { type Config, parseConfig } from "../config/config.ts";
import { CONFIG_VARIABLE, MOVE_TO_VARIABLE } from "../config/environment.ts";
import type { Log } from "../logging/log.ts";
import { createLogger } from "../logging/logger.ts";
import { ListenError } from "../server/listener.ts";
import { StorageOpenError } from "../storage/open-error.ts";

const HELP = `Usher: sign-in and durable task queues over gRPC, Connect and JSON

  npm start                          start the server
  npm start -- --config usher.yaml   with settings from a file
  node src/main.ts COMMAND           the same without npm

Commands:
  serve      start the server (the default); SIGTERM or Ctrl-C stops it in good order
  demo       walk sign-in and a queue in one terminal, on a database that is thrown away
  move       copy a stopped server's data from SQLite to MongoDB (docs/move.md)
  compact    write a stopped server's SQLite file anew, without what was removed
  version    print the version
  help       print this

Flags of serve and compact:
  --config FILE   a YAML file of settings; ${CONFIG_VARIABLE} may name it instead

Flags of move, which needs auth.sealing_keys of the servers on MongoDB as well:
  --from sqlite:FOLDER    where the data is
  --to mongodb://...      an empty database; ${MOVE_TO_VARIABLE} may name it instead
  --config FILE           as for serve

Every setting, in the file or as a variable: docs/settings.md
`;

/**
 * npm passes a Ctrl-C on to a process that has got it from the terminal already. Signals this close
 * together count as one.
 */
const ECHO_MS = 500;

/** How long after the grace a stop that does not end is given up. */
const STUCK_MS = 5_000;

interface Flags {
  readonly config?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

type Command = (flags: Flags) => number | Promise<number>;

/** The commands. Each returns the exit code. */
const commands = {
  serve,
  async demo() {
    await runDemo((line) => process.stdout.write(`${line}\n`));
    return 0;
  },
  move: moveData,
  compact: compactData,
  version() {
    process.stdout.write(`${packageJson.version}\n`);
    return 0;
  },
  help() {
    process.stdout.write(HELP);
    return 0;
  },
} satisfies Record<string, Command>;

/** Runs the command that the arguments name. Resolves with the exit code. */
export async function runCommandLine(args: string[]): Promise<number> {
  let flags: Flags & { help?: boolean; version?: boolean };
  let names: string[];
  try {
    ({ values: flags, positionals: names } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        config: { type: "string" },
        from: { type: "string" },
        to: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    }));
  } catch (error) {
    return misused(messageOf(error).split(". ")[0] ?? "");
  }
  if (flags.help) return commands.help();
  if (flags.version) return commands.version();
  const [name = "serve", extra] = names;
  const command: Command | undefined = new Map(Object.entries(commands)).get(name);
  if (command === undefined) return misused(`There is no command ${JSON.stringify(name)}`);
  if (extra !== undefined) return misused(`${name} takes no ${JSON.stringify(extra)}`);
  for (const flag of ["config", "from", "to"] as const) {
    const takesConfig = command === serve || command === compactData;
    const known = command === moveData || (takesConfig && flag === "config");
    if (flags[flag] !== undefined && !known) return misused(`${name} takes no --${flag}`);
  }
  return command(flags);
}

function misused(fault: string): number {
  process.stderr.write(`usher: ${fault}; see: npm start -- --help\n`);
  return 2;
}

/** Runs the server until a signal comes. */
async function serve(flags: Flags): Promise<number> {
  const parsed = readConfig(flags);
  if ("faults" in parsed) {
    for (const fault of parsed.faults) process.stderr.write(`usher: ${fault}\n`);
    return 1;
  }
  const { config } = parsed;
  // Without a reader (a closed pipe) the log is lost; the service goes on.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  const log = createLogger(config.logLevel, process.stdout, process.stdout.isTTY);
  process.on("uncaughtException", (error, origin) => {
    log.error({ err: error, origin }, "a fault in the program; exiting");
    process.exit(1);
  });

  const signal = firstSignal();
  let usher: RunningUsher;
  try {
    usher = await startUsher(config, { log, clock: systemClock });
  } catch (error) {
    const expected =
      error instanceof ListenError ||
      error instanceof StorageOpenError ||
      error instanceof MailTubeError;
    if (!expected) log.error({ err: error }, "the start failed");
    process.stderr.write(`usher: ${messageOf(error).replaceAll("\n", " ")}\n`);
    return 1;
  }
  announce(usher, config, log);
  log.info({ signal: await signal }, "stopping");
  return stop(usher, config.shutdownGrace, log);
}

/** Copies the data of a stopped server to MongoDB. No line has the target's URL. */
async function moveData(flags: Flags): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const folder = /^sqlite:(.+)$/.exec(flags.from ?? "")?.[1];
  if (folder === undefined) return misused("move needs --from sqlite:FOLDER");
  const to = flags.to ?? process.env[MOVE_TO_VARIABLE] ?? "";
  if (!/^mongodb(\+srv)?:/.test(to)) {
    return misused(`move needs --to mongodb://... or ${MOVE_TO_VARIABLE}`);
  }
  // The settings as the servers on the target have them, their sealing keys above all.
  const parsed = readConfig(flags, { ...process.env, USHER_STORAGE: to });
  if ("faults" in parsed) {
    for (const fault of parsed.faults) say(`usher: ${fault.replace(/^USHER_STORAGE/, "--to")}`);
    return 1;
  }
  const { storage, auth } = parsed.config;
  if (storage.kind !== "mongodb") return misused("move needs --to mongodb://...");
  try {
    const { url } = storage;
    const { move } = await import("../move/move.ts");
    return (await move({ folder, url, sealingKeys: auth.sealingKeys ?? [], say })) ? 0 : 1;
  } catch (error) {
    const cause = error instanceof UsherError && error.cause ? `: ${messageOf(error.cause)}` : "";
    say(`usher: ${`${messageOf(error)}${cause}`.replaceAll("\n", " ")}`);
    return 1;
  }
}

/** Rewrites the database of a stopped server, with the settings that the server has. */
async function compactData(flags: Flags): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const parsed = readConfig(flags);
  if ("faults" in parsed) {
    for (const fault of parsed.faults) say(`usher: ${fault}`);
    return 1;
  }
  const { storage } = parsed.config;
  if (storage.kind !== "sqlite") return misused("compact is for a folder of SQLite");
  try {
    const { compactDatabase } = await import("../storage/sqlite/compact.ts");
    const { file, before, after } = compactDatabase(storage.folder);
    say(`${file}: ${mebibytes(before)} before, ${mebibytes(after)} now`);
    return 0;
  } catch (error) {
    say(`usher: ${messageOf(error).replaceAll("\n", " ")}`);
    return 1;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function readConfig(flags: Flags, env = process.env): ReturnType<typeof parseConfig> {
  const name = flags.config ?? (process.env[CONFIG_VARIABLE] || undefined);
  const sources = {
    env,
    readSecretFile: (path: string) => readFileSync(path, "utf8"),
  };
  if (name === undefined) return parseConfig(sources);
  let file: string;
  try {
    file = readFileSync(name, "utf8");
  } catch (error) {
    const where = flags.config === undefined ? CONFIG_VARIABLE : "--config";
    return { faults: [`${where}: cannot read the settings file: ${messageOf(error)}`] };
  }
  return parseConfig({ ...sources, file });
}

/**
 * Tells where the server listens. The lines for people go to stderr, so that stdout has only the
 * log.
 */
function announce(usher: RunningUsher, config: Config, log: Log): void {
  const { grpcAddress, httpAddress, dataFolder } = usher;
  const { version } = packageJson;
  const data = dataFolder && { data: dataFolder.path, isNewData: dataFolder.isNew };
  const { temporaryBytes: maxTemporarySize } = queueLimits(config);
  log.info(
    { grpc: grpcAddress, http: httpAddress, version, ...data, maxTemporarySize },
    "listening",
  );
  const open = [config.grpcListen, config.httpListen].filter(({ host }) => !isLoopback(host));
  if (open.length > 0) {
    log.warn({ listen: open }, "other machines can call, unencrypted and without being asked who");
  }
  const tube = '{"tube":{"name":"test_queue","kind":"TUBE_KIND_FIFO"},"ifNotExists":true}';
  const put = '{"tube":"test_queue","task":{"payload":{"text":"task_1"}}}';
  const service = "usher.queue.v1.QueueService";
  process.stderr.write(`
Usher listens: gRPC on ${grpcAddress}, Connect and JSON on http://${httpAddress}
${dataFolder === undefined ? "" : `Data: ${dataFolder.path}${dataFolder.isNew ? " (new)" : ""}\n`}\
Try:
  grpcurl -plaintext ${grpcAddress} list
  grpcurl -plaintext -d '${tube}' ${grpcAddress} ${service}/CreateTube
  curl -H 'Content-Type: application/json' -d '${put}' http://${httpAddress}/${service}/Put

`);
}

/** Resolves at the first SIGTERM or SIGINT; at another one the process exits at once. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const handle = (signal: NodeJS.Signals): void => {
      const now = performance.now();
      if (firstAt !== undefined && now - firstAt > ECHO_MS) process.exit(1);
      firstAt ??= now;
      resolve(signal);
    };
    process.on("SIGTERM", handle);
    process.on("SIGINT", handle);
  });
}

async function stop(usher: RunningUsher, graceMs: number, log: Log): Promise<number> {
  const stuck = setTimeout(() => {
    log.error({ graceMs }, "the stop does not end; exiting");
    process.exit(1);
  }, graceMs + STUCK_MS);
  await usher.stop();
  clearTimeout(stuck);
  log.info({}, "stopped");
  return 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
