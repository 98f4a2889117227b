import { bullmq } from "../peers/redis.ts";
import type { Bench } from "../run/bench.ts";
import { compare } from "../run/compare.ts";
import { phases, rateOf, runLoad } from "../run/load.ts";
import type { Contender } from "../run/rounds.ts";
import type { Row } from "../run/rows.ts";
import { createFifo, PAYLOAD_BYTES } from "../systems/tubes.ts";
import { USHER_DURABLE, Usher } from "../systems/usher.ts";

const TUBE = "bench";

/** The client library beside another library of the same kind. The load is the library itself. */
export async function client(bench: Bench): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  return await compare(bench, {
    measure: "client library, a handler call a task",
    unit: "lifecycles/s",
    ours: await clientContender(bench, stack, "Usher, Producer and Worker"),
    others: [await bullmq(stack)],
    goal: { least: 50_000 },
    goals: { "BullMQ, addBulk of 100": { least: 4 } },
  });
}

/** An Usher with the client library of its own tree. */
export async function clientContender(
  bench: Bench,
  stack: AsyncDisposableStack,
  system: string,
  root?: string,
): Promise<Contender> {
  const usher = await Usher.start(bench, stack, { root });
  await createFifo(usher, TUBE);
  return {
    system,
    durable: USHER_DURABLE,
    async measure(span) {
      const load = { address: usher.grpcAddress, tube: TUBE, payloadBytes: PAYLOAD_BYTES };
      const options = { ...phases(span, [usher.pid]), ...load, ...USER_CODE };
      return rateOf(await runLoad("client-library", options, root));
    },
  };
}

const USER_CODE = { atOnce: 4_000, concurrency: 100, prefetch: 1_000 };
