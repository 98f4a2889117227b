import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { findMongod } from "../../../bench/peers/mongod.ts";
import { lastingPort } from "../../../bench/run/process.ts";
import { temporaryFolder } from "../../support/process.ts";

/** A mongod of a test's own that can be killed and started again. */
export interface OwnMongod {
  readonly url: string;
  /** As when its machine loses its power. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** From now on it answers nothing, and keeps every connection. */
  hang(): Promise<void>;
}

/** A replica set of one, or a server that is no member of any. */
export async function startOwnMongod(
  t: TestContext,
  { isInSet = true }: { readonly isInSet?: boolean } = {},
): Promise<OwnMongod> {
  const folder = temporaryFolder(t);
  const port = await lastingPort();
  const options = `${isInSet ? "replicaSet=own&" : ""}monitorCommands=true`;
  const url = `mongodb://127.0.0.1:${port}/usher?${options}`;
  let child: ChildProcess | undefined;
  const own: OwnMongod = {
    url,
    async start() {
      const args = ["--bind_ip", "127.0.0.1", "--port", `${port}`, "--dbpath", folder];
      const cache = ["--wiredTigerCacheSizeGB", "0.25"];
      const set = isInSet ? ["--replSet", "own"] : [];
      child = spawn(findMongod() ?? "mongod", [...args, ...cache, ...set], {
        stdio: "ignore",
      });
      await once(child, "spawn");
    },
    async kill() {
      const killed = child;
      child = undefined;
      if (killed === undefined || killed.exitCode !== null) return;
      killed.kill("SIGKILL");
      await once(killed, "exit");
    },
    async hang() {
      child?.kill("SIGSTOP");
      // A signal reaches the threads one after the other, and one of them may answer meanwhile.
      while (!threadsOf(child?.pid).every((state) => state === "T")) await pause(1);
    },
  };
  t.after(() => own.kill());
  await own.start();
  if (isInSet) await initiate(port);
  return own;
}

/** The states of a process's threads, as Linux tells them. */
function threadsOf(pid: number | undefined): string[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).map((thread) => {
    const line = readFileSync(`${folder}/${thread}/stat`, "utf8");
    return line.slice(line.lastIndexOf(")") + 2, line.lastIndexOf(")") + 3);
  });
}

async function initiate(port: number): Promise<void> {
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  await client.db("admin").command({ replSetInitiate: { _id: "own", members } });
  while (!(await client.db("admin").command({ hello: 1 }))["isWritablePrimary"]) await pause(20);
  await client.close();
}
