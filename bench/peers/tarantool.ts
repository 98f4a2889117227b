import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../run/bench.ts";
import { findOnPath } from "../run/find.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import { accepts, freePort, Program } from "../run/process.ts";
import type { Absent, Contender } from "../run/rounds.ts";
import { PAYLOAD_BYTES } from "../systems/tubes.ts";

const SCRIPT = fileURLToPath(new URL("./tarantool.lua", import.meta.url));

/** Tarantool with put, take and ack written by hand, 100 tasks a call. */
export async function tarantool(stack: AsyncDisposableStack): Promise<Contender | Absent> {
  const system = "tarantool, wal_mode=fsync";
  const binary = findOnPath("tarantool");
  if (binary === undefined) {
    return { system, missing: "not on PATH (Debian: apt-get install tarantool)" };
  }
  const port = await freePort();
  const program = new Program(binary, [SCRIPT, `${port}`, temporaryFolder(stack)]);
  stack.defer(() => program.end());
  await program.ready(() => accepts(port));
  return {
    system,
    durable: "puts, takes and acks fsynced, transactions that come together in one fsync",
    async measure(span) {
      const load = phases(span, [program.pid]);
      const options = { ...load, port, pairs: 4, batch: 100, payloadBytes: PAYLOAD_BYTES };
      return rateOf(await runLoad("tarantool", options));
    },
  };
}
