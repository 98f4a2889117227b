import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePort } from "../../scripts/free-port.ts";
import { storageSettings } from "./storage.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

/** A folder that goes with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "usher-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Usher as operators run it: a process of its own. */
export interface UsherProcess {
  readonly child: ChildProcess;
  /** What it wrote so far, both outputs. */
  output(): string;
  /** Sends a signal and resolves with the exit code, or the name of the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

export interface Listens {
  readonly grpc: string;
  readonly http: string;
}

export async function freeListens(): Promise<Listens> {
  const [grpc, http] = await Promise.all([freePort(), freePort()]);
  return { grpc: `127.0.0.1:${grpc}`, http: `127.0.0.1:${http}` };
}

/** Starts `usher serve` on a folder, or what stands for it, and resolves when it says that it is ready. */
export async function startProcess(
  t: TestContext,
  folder: string,
  listens: Listens,
  env: Readonly<Record<string, string>> = {},
): Promise<UsherProcess> {
  const storage = await storageSettings(t, folder);
  const child = spawn(process.execPath, [MAIN, "serve"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      ...storage,
      USHER_GRPC_LISTEN: listens.grpc,
      USHER_HTTP_LISTEN: listens.http,
      ...env,
    },
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = once(child, "exit");
  const running: UsherProcess = {
    child,
    output: () => output,
    async end(signal) {
      child.kill(signal);
      const [code, by] = await exited;
      return code ?? by;
    },
  };
  await ready(running, listens.http);
  return running;
}

async function ready(running: UsherProcess, http: string): Promise<void> {
  for (;;) {
    if (running.child.exitCode !== null) throw new Error(`it ended: ${running.output()}`);
    const answer = await fetch(`http://${http}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
