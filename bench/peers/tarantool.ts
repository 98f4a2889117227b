import { fileURLToPath } from "node:url";
import { freePort } from "../../scripts/free-port.ts";
import { temporaryFolder } from "../run/bench.ts";
import { findOnPath } from "../run/find.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import { accepts, Program } from "../run/process.ts";
import type { Absent, Contender } from "../run/rounds.ts";
import { PAYLOAD_BYTES } from "../systems/tubes.ts";

const SCRIPT = fileURLToPath(new URL("./tarantool.lua", import.meta.url));

/** How many tasks a call has, and how many calls are under way on each of four connections. */
const SHAPES = { 100: 4, 1: 100 } as const;

/** Tarantool with put, take and ack written by hand, on a log that is fsynced. */
export async function tarantool(
  stack: AsyncDisposableStack,
  batch: keyof typeof SHAPES,
): Promise<Contender | Absent> {
  const system = `tarantool, ${batch} a call`;
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
    durable: "puts, takes and acks fsynced (wal_mode=fsync), many transactions at once",
    async measure(span) {
      const load = phases(span, [program.pid]);
      const shape = { pairs: 4, batch, window: SHAPES[batch], payloadBytes: PAYLOAD_BYTES };
      return rateOf(await runLoad("tarantool", { ...load, port, ...shape }));
    },
  };
}
