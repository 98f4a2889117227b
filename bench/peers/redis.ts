import { freePort } from "../../scripts/free-port.ts";
import { temporaryFolder } from "../run/bench.ts";
import { findOnPath } from "../run/find.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import { accepts, Program } from "../run/process.ts";
import { type Absent, atLeast, type Contender } from "../run/rounds.ts";
import { PAYLOAD_BYTES } from "../systems/tubes.ts";

/** BullMQ, jobs put 100 at a time, on a Redis that fsyncs its log before it answers. */
export async function bullmq(stack: AsyncDisposableStack): Promise<Contender | Absent> {
  const system = "BullMQ, addBulk of 100";
  const binary = findOnPath("redis-server");
  if (binary === undefined) {
    return {
      system,
      missing: "redis-server is not on PATH (Debian: apt-get install redis-server)",
    };
  }
  const port = await freePort();
  const program = new Program(binary, [
    ...["--bind", "127.0.0.1", "--port", `${port}`, "--dir", temporaryFolder(stack)],
    ...["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
  ]);
  stack.defer(() => program.end());
  await program.ready(() => accepts(port));
  return {
    system,
    durable: "every change fsynced (Redis, appendfsync always)",
    async measure(span) {
      const load = { port, batch: 100, atOnce: 4, concurrency: 100 };
      const options = {
        ...phases(atLeast(span), [program.pid]),
        ...load,
        payloadBytes: PAYLOAD_BYTES,
      };
      return rateOf(await runLoad("bullmq", options));
    },
  };
}
