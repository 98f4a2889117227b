import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { type RunningUsher, startUsher } from "../../src/app/usher.ts";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfig } from "../../src/config/config.ts";
import { type Log, silentLog } from "../../src/logging/log.ts";
import { temporaryFolder } from "./process.ts";
import { storageSettings } from "./storage.ts";
import type { Way } from "./ways.ts";

export { type Way, ways } from "./ways.ts";

/** The whole service in this process, on free ports and a storage that goes with the test. */
export async function startService(
  t: TestContext,
  env: Readonly<Record<string, string>> = {},
  log: Log = silentLog,
): Promise<RunningUsher> {
  const storage = "USHER_STORAGE" in env ? {} : await storageSettings(t, temporaryFolder(t));
  const parsed = parseConfig({
    env: {
      ...storage,
      USHER_GRPC_LISTEN: "127.0.0.1:0",
      USHER_HTTP_LISTEN: "127.0.0.1:0",
      USHER_SHUTDOWN_GRACE: "1s",
      ...env,
    },
    readSecretFile: (path) => readFileSync(path, "utf8"),
  });
  if ("faults" in parsed) throw new Error(parsed.faults.join("\n"));
  const usher = await startUsher(parsed.config, { log, clock: systemClock });
  t.after(() => usher.stop());
  return usher;
}

/** Where a service is, in this process or another. */
export type Addresses = Pick<RunningUsher, "grpcAddress" | "httpAddress">;

export function addressFor(usher: Addresses, way: Way): string {
  return way === "gRPC on the gRPC port" ? usher.grpcAddress : usher.httpAddress;
}

export function transportOf(usher: Addresses, way: Way): Transport {
  const baseUrl = `http://${addressFor(usher, way)}`;
  switch (way) {
    case "gRPC on the gRPC port":
    case "gRPC on the HTTP port":
      return createGrpcTransport({ baseUrl });
    case "gRPC-Web":
      return createGrpcWebTransport({ baseUrl, httpVersion: "1.1" });
    case "Connect":
      return createConnectTransport({ baseUrl, httpVersion: "2" });
    case "Connect JSON":
      return createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false });
    case "Connect over HTTP/1.1":
      return createConnectTransport({ baseUrl, httpVersion: "1.1" });
  }
}

export function clientOf<S extends DescService>(
  usher: Addresses,
  service: S,
  way: Way = "gRPC on the gRPC port",
): Client<S> {
  return createClient(service, transportOf(usher, way));
}

/** An answer to a call by JSON, as curl shows it. */
export interface JsonAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test is about
  readonly body: any;
}

/** Calls an RPC as curl does. `body` is sent as it is if it is a string. */
export async function callJson(usher: Addresses, rpc: string, body: unknown): Promise<JsonAnswer> {
  const response = await fetch(`http://${usher.httpAddress}/${rpc}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}
