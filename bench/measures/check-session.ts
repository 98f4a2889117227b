import { create, toBinary } from "@bufbuild/protobuf";
import { CheckSessionRequestSchema } from "../../gen/usher/auth/v1/sessions_pb.ts";
import { type Bench, temporaryFolder } from "../run/bench.ts";
import { compare } from "../run/compare.ts";
import { grpcFrame, H2LOAD_MISSING, h2load, hasH2Load } from "../run/h2load.ts";
import type { Contender } from "../run/rounds.ts";
import { missingRow, type Row } from "../run/rows.ts";
import { GRPC_ECHO, grpcEcho } from "./echo.ts";
import { startWithSession } from "./social-session.ts";

/** What every request of a web backend costs. */
export async function checkSession(bench: Bench): Promise<Row[]> {
  const measure = "CheckSession, 64 at once";
  if (!hasH2Load()) return [missingRow(measure, "Usher", "calls/s", H2LOAD_MISSING)];
  await using stack = new AsyncDisposableStack();
  const { ours, message } = await checkSessionContender(bench, stack, "Usher");
  return await compare(bench, {
    measure,
    unit: "calls/s",
    ours,
    others: [await grpcEcho(stack, message)],
    goals: { [GRPC_ECHO]: { least: 0.75 } },
  });
}

/** Checks of one session of an Usher, by h2load, and the request of each. */
export async function checkSessionContender(
  bench: Bench,
  stack: AsyncDisposableStack,
  system: string,
  root?: string,
): Promise<{ ours: Contender; message: Uint8Array }> {
  const { usher, token } = await startWithSession(bench, stack, root);
  const request = create(CheckSessionRequestSchema, { token });
  const message = toBinary(CheckSessionRequestSchema, request);
  const url = `http://${usher.grpcAddress}/usher.auth.v1.AuthService/CheckSession`;
  const folder = temporaryFolder(stack);
  const load = { url, body: grpcFrame(message), kind: "grpc", folder } as const;
  const ours: Contender = {
    system,
    durable: "sign-ins and sign-outs fsynced; a check changes nothing",
    measure: (span) => h2load({ ...load, systemPids: [usher.pid] }, span),
  };
  return { ours, message };
}
