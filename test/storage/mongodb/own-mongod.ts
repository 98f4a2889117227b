import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Document, MongoClient } from "mongodb";
import { findMongod } from "../../../bench/peers/mongod.ts";
import { freePort } from "../../../scripts/free-port.ts";
import { temporaryFolder } from "../../support/process.ts";

/** A MongoDB of a test's own that can be killed and started again. */
export interface OwnMongod {
  readonly url: string;
  /** As when the machine of the primary, or of the only one, loses its power. */
  kill(): Promise<void>;
  /** What `kill` does, at once: the primary is looked for before. */
  aim(): Promise<() => Promise<void>>;
  /** Starts those that were killed. */
  start(): Promise<void>;
  /** From now on none answers anything, and all keep every connection. */
  hang(): Promise<void>;
}

interface OwnOptions {
  /** False: a server that is no member of any replica set. */
  readonly isInSet?: boolean;
  readonly members?: number;
}

/** A replica set of one, or of some. */
export async function startOwnMongod(
  t: TestContext,
  { isInSet = true, members: count = 1 }: OwnOptions = {},
): Promise<OwnMongod> {
  const members: Member[] = [];
  for (let number = 0; number < count; number++) {
    members.push(new Member(await freePort(), temporaryFolder(t), isInSet));
  }
  const hosts = members.map(({ host }) => host);
  const options = `${isInSet ? "replicaSet=own&" : ""}monitorCommands=true`;
  const own: OwnMongod = {
    url: `mongodb://${hosts.join(",")}/usher?${options}`,
    async start() {
      await Promise.all(members.map((member) => member.start()));
    },
    async kill() {
      const kill = await own.aim();
      await kill();
    },
    async aim() {
      const primary = count === 1 ? hosts[0] : await primaryOf(hosts);
      return async () => members.find(({ host }) => host === primary)?.kill();
    },
    async hang() {
      await Promise.all(members.map((member) => member.hang()));
    },
  };
  t.after(() => Promise.all(members.map((member) => member.kill())));
  await own.start();
  if (isInSet) await initiate(hosts);
  return own;
}

/** One mongod on a port that it keeps. */
class Member {
  readonly host: string;
  readonly #port: number;
  readonly #folder: string;
  readonly #isInSet: boolean;
  #child: ChildProcess | undefined;

  constructor(port: number, folder: string, isInSet: boolean) {
    this.host = `127.0.0.1:${port}`;
    this.#port = port;
    this.#folder = folder;
    this.#isInSet = isInSet;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    const args = ["--bind_ip", "127.0.0.1", "--port", `${this.#port}`, "--dbpath", this.#folder];
    const cache = ["--wiredTigerCacheSizeGB", "0.25"];
    const set = this.#isInSet ? ["--replSet", "own"] : [];
    this.#child = spawn(findMongod() ?? "mongod", [...args, ...cache, ...set], {
      stdio: "ignore",
    });
    await once(this.#child, "spawn");
  }

  async kill(): Promise<void> {
    const killed = this.#child;
    this.#child = undefined;
    if (killed === undefined || killed.exitCode !== null || killed.signalCode !== null) return;
    killed.kill("SIGKILL");
    await once(killed, "exit");
  }

  async hang(): Promise<void> {
    const child = this.#child;
    child?.kill("SIGSTOP");
    // A signal reaches the threads one after the other, and one of them may answer meanwhile.
    while (!threadsOf(child?.pid).every((state) => state === "T")) await pause(1);
  }
}

/** The states of a process's threads, as Linux tells them. */
function threadsOf(pid: number | undefined): string[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).map((thread) => {
    const line = readFileSync(`${folder}/${thread}/stat`, "utf8");
    return line.slice(line.lastIndexOf(")") + 2, line.lastIndexOf(")") + 3);
  });
}

/** Soon, so that a test need not wait ten seconds for every election. */
const ELECTION_MS = 1_000;

async function initiate(hosts: readonly string[]): Promise<void> {
  const direct = hosts.map((host) => `mongodb://${host}/?directConnection=true`);
  // A set is only made of members that answer.
  await Promise.all(direct.map((url) => asked(url, { ping: 1 })));
  const members = hosts.map((host, _id) => ({ _id, host }));
  const settings = { electionTimeoutMillis: ELECTION_MS };
  await asked(direct[0] ?? "", { replSetInitiate: { _id: "own", members, settings } });
  await primaryOf(hosts);
}

/** Waits until there is one. */
async function primaryOf(hosts: readonly string[]): Promise<string> {
  for (;;) {
    const hello = await asked(`mongodb://${hosts.join(",")}/?replicaSet=own`, { hello: 1 });
    if (hello["isWritablePrimary"] === true) return String(hello["me"]);
    await pause(20);
  }
}

/** What one command is answered by a connection of its own. */
async function asked(url: string, command: Document): Promise<Document> {
  const client = new MongoClient(url);
  try {
    return await client.db("admin").command(command);
  } finally {
    await client.close();
  }
}
