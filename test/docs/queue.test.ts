import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { transitions } from "../../src/queue/rules/transitions.ts";
import { callJson, startService } from "../support/service.ts";

const run = promisify(execFile);

const page = readFileSync(new URL("../../docs/queue.md", import.meta.url), "utf8");

test("the commands of docs/queue.md work as written, also twice", async (t) => {
  const usher = await startService(t);
  const [, script = ""] = page.match(/^```sh\n([\s\S]*?)^```$/m) ?? [];
  const here = script.replaceAll("127.0.0.1:8080", usher.httpAddress);
  const calls = here.match(/^curl /gm)?.length;
  assert.ok(calls);
  for (let turn = 0; turn < 2; turn++) {
    const each = here.replaceAll(/^curl (.*)$/gm, "curl --silent --fail --show-error $1; echo");
    const { stdout } = await run("bash", ["-e", "-c", each]);
    const answers = stdout.trim().split("\n");
    assert.equal(answers.length, calls);
    for (const answer of answers) JSON.parse(answer);
  }
  const { body } = await callJson(usher, "usher.queue.v1.QueueService/GetTube", { tube: "mail" });
  assert.equal(body.tube.maxAttempts, 5);
});

test("the worker of docs/queue.md does a task that is put, and stops", async (t) => {
  const usher = await startService(t);
  const call = (method: string, body: object) =>
    callJson(usher, `usher.queue.v1.QueueService/${method}`, body);
  await call("CreateTube", { tube: { name: "mail", kind: "TUBE_KIND_FIFO" } });
  const { body } = await call("Put", { tube: "mail", task: { payload: { text: "to ada" } } });
  const { id } = body.task;
  const [, code = ""] = page.match(/^```ts\n([\s\S]*?)^```$/m) ?? [];
  assert.ok(code.includes("127.0.0.1:50051"));
  const here = code.replace("127.0.0.1:50051", usher.grpcAddress);
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", here], {
    cwd: new URL("../../", import.meta.url),
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [printed] = await once(child.stdout, "data");
  assert.equal(String(printed), "sent to ada\n");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [0, null]);
  const { status } = await call("GetTask", { tube: "mail", id });
  assert.equal(status, 404);
});

test("the diagram of docs/queue.md has the edges of the state machine, and no others", () => {
  const drawn = new Set<string>();
  for (const [, from, to] of page.matchAll(/^ {2}(\S+) --> ([^:\s]+):/gm)) {
    drawn.add(`${from === "[*]" ? "NONE" : from} -> ${to === "[*]" ? "DONE" : to}`);
  }
  const allowed = new Set<string>();
  for (const byState of Object.values(transitions)) {
    for (const [from, targets] of Object.entries(byState)) {
      for (const to of targets) allowed.add(`${from} -> ${to}`);
    }
  }
  assert.deepEqual([...drawn].sort(), [...allowed].sort());
});
