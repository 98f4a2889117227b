import { temporaryFolder } from "../run/bench.ts";
import { grpcFrame, H2LOAD_MISSING, h2load, hasH2Load } from "../run/h2load.ts";
import type { Absent, Contender } from "../run/rounds.ts";
import { NOTHING_DURABLE, startYardstick } from "../systems/yardstick.ts";

export const GRPC_ECHO = "bare grpc-js echo";
export const ECHO_PATH = "/bench.Echo/Echo";

/** Calls a second of a server that is grpc-js and nothing else, 64 at once. */
export async function grpcEcho(
  stack: AsyncDisposableStack,
  message: Uint8Array,
): Promise<Contender | Absent> {
  if (!hasH2Load()) return { system: GRPC_ECHO, missing: H2LOAD_MISSING };
  const { address, pid } = await startYardstick(stack, "grpc-echo");
  const folder = temporaryFolder(stack);
  return {
    system: GRPC_ECHO,
    durable: NOTHING_DURABLE,
    unit: "calls/s",
    measure: (span) =>
      h2load(
        {
          url: `http://${address}${ECHO_PATH}`,
          body: grpcFrame(message),
          kind: "grpc",
          folder,
          systemPids: [pid],
        },
        span,
      ),
  };
}
