import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findOnPath } from "./find.ts";
import { watchCpu } from "./load.ts";
import { Program } from "./process.ts";
import type { Span } from "./rounds.ts";
import type { Reading } from "./rows.ts";

export const H2LOAD_MISSING = "h2load is not on PATH (Debian: apt-get install nghttp2-client)";

export interface H2Load {
  /** Of the request, such as `http://127.0.0.1:1/service/Method`. */
  readonly url: string;
  readonly body: Uint8Array;
  readonly kind: "grpc" | "connect-json";
  /** Where the body is written for h2load. */
  readonly folder: string;
  readonly systemPids: readonly number[];
}

/** Requests under way at any time. */
const AT_ONCE = 64;
const GRPC_CONNECTIONS = 4;
const GRACE_MS = 60_000;

export function hasH2Load(): boolean {
  return findOnPath("h2load") !== undefined;
}

/** Requests a second, 64 at once. Throws if a request is not answered as it should be. */
export async function h2load(options: H2Load, span: Span): Promise<Reading> {
  const { url, body, kind, folder, systemPids } = options;
  const file = join(folder, "h2load-body");
  writeFileSync(file, body);
  const watch = watchCpu(systemPids);
  const { output, cpuSeconds } = await Program.finish(
    "h2load",
    [
      ...wireArguments(kind),
      ...["-D", `${Math.round(span.seconds * 1_000)}ms`],
      ...["--warm-up-time", `${Math.round(span.warmUpSeconds * 1_000)}ms`],
      ...["-d", file, url],
    ],
    { limitMs: GRACE_MS + (span.seconds + span.warmUpSeconds) * 1_000 },
  );
  const systemCpu = watch();
  const answered = numberIn(output, /requests:.* (\d+) succeeded/);
  const failed = numberIn(output, /requests:.* (\d+) failed/);
  // A gRPC call that fails is a request that succeeds, with an answer that has no data.
  const data = numberIn(output, /traffic:.* \((\d+)\) data/);
  if (failed > 0 || answered === 0 || data < answered * 5) {
    throw new Error(`${url} did not answer h2load as it should:\n${output}`);
  }
  return {
    value: numberIn(output, /finished in .*?, ([\d.]+) req\/s/),
    loadCpu: cpuSeconds / (span.seconds + span.warmUpSeconds),
    systemCpu,
  };
}

function wireArguments(kind: H2Load["kind"]): string[] {
  if (kind === "connect-json") {
    return ["--h1", "-c", `${AT_ONCE}`, "-m", "1", "-H", "content-type: application/json"];
  }
  const each = AT_ONCE / GRPC_CONNECTIONS;
  const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
  return ["-c", `${GRPC_CONNECTIONS}`, "-m", `${each}`, ...headers];
}

function numberIn(output: string, pattern: RegExp): number {
  return Number(output.match(pattern)?.[1] ?? Number.NaN);
}

/** A request message as it goes over the wire in gRPC. */
export function grpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
