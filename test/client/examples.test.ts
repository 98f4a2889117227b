import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { startService } from "../support/service.ts";
import { connectTo, countsOf, until } from "./harness.ts";

const FOLDER = new URL("../../examples/typescript/", import.meta.url).pathname;

/** Runs an example; what it prints, on both outputs, gathers in `text`. */
function runExample(t: TestContext, name: string, args: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, [`${FOLDER}${name}`, ...args]);
  t.after(() => child.kill("SIGKILL"));
  const printed = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      printed.text += text;
    });
  }
  return { child, printed, closed: once(child, "close") };
}

test("the example producer and worker pass mails on, each once", async (t) => {
  const usher = await startService(t);
  const address = ["--address", usher.grpcAddress];
  const first = runExample(t, "producer.ts", [...address, "ada", "grace"]);
  assert.deepEqual(await first.closed, [0, null], first.printed.text);
  assert.equal(first.printed.text, "ada: task 1\ngrace: task 2\n");

  const worker = runExample(t, "worker.ts", address);
  const client = connectTo(t, usher.grpcAddress);
  await until(async () => (await countsOf(client, "mail")).done === 2);

  const second = runExample(t, "producer.ts", [...address, "grace", "joan"]);
  assert.deepEqual(await second.closed, [0, null], second.printed.text);
  assert.match(second.printed.text, /grace: task 2, which was there already\n/);
  await until(async () => (await countsOf(client, "mail")).done === 3);

  worker.child.kill("SIGTERM");
  assert.deepEqual(await worker.closed, [0, null], worker.printed.text);
  assert.deepEqual(worker.printed.text.trim().split("\n").sort(), [
    "sent to ada@example.com",
    "sent to grace@example.com",
    "sent to joan@example.com",
  ]);
});
