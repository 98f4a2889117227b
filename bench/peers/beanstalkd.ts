import { freePort } from "../../scripts/free-port.ts";
import { temporaryFolder } from "../run/bench.ts";
import { findOnPath } from "../run/find.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import { accepts, Program } from "../run/process.ts";
import type { Absent, Contender } from "../run/rounds.ts";
import { PAYLOAD_BYTES } from "../systems/tubes.ts";

const DURABLE: Readonly<Record<number, string>> = {
  0: "every put and delete fsynced",
  50: "written; fsynced at most every 50 ms, so a crash may lose 50 ms",
};

/** beanstalkd with a binlog; `fsyncMs` is its -f: how often it fsyncs, 0 is at every write. */
export async function beanstalkd(
  stack: AsyncDisposableStack,
  fsyncMs: 0 | 50,
): Promise<Contender | Absent> {
  const system = `beanstalkd -f${fsyncMs}`;
  const binary = findOnPath("beanstalkd");
  if (binary === undefined) {
    return { system, missing: "not on PATH (Debian: apt-get install beanstalkd)" };
  }
  const port = await freePort();
  const folder = temporaryFolder(stack);
  const args = ["-l", "127.0.0.1", "-p", `${port}`, "-b", folder, `-f${fsyncMs}`];
  const program = new Program(binary, args);
  stack.defer(() => program.end());
  await program.ready(() => accepts(port));
  return {
    system,
    durable: DURABLE[fsyncMs] ?? "",
    async measure(span) {
      const load = phases(span, [program.pid]);
      const options = { ...load, port, pairs: 4, batch: 100, payloadBytes: PAYLOAD_BYTES };
      return rateOf(await runLoad("beanstalkd", options));
    },
  };
}
