import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import packageJson from "../../package.json" with { type: "json" };
import { findOnPath } from "./find.ts";

const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  h2load: ["--version"],
  beanstalkd: ["-v"],
  tarantool: ["--version"],
  "redis-server": ["--version"],
};

/** Libraries that are measured, or measured with. */
const LIBRARIES = ["@grpc/grpc-js", "@connectrpc/connect-node"] as const;
const PEERS = ["bullmq", "agenda", "mongodb-queue"] as const;

/** Where and with what it was measured, for whoever reads the table later. */
export function machine(): string {
  const gib = Math.round(totalmem() / 1024 ** 3);
  const [busy] = loadavg();
  const programs = Object.entries(VERSIONS).map(([name, flags]) => versionOf(name, flags));
  return [
    `${new Date().toISOString().slice(0, 10)}, ${type()} ${release()}`,
    `${cpus().length} cores of ${cpus()[0]?.model.trim()}, ${gib} GiB`,
    `load average before the start ${busy?.toFixed(2)}`,
    `Node ${process.versions.node}`,
    ...LIBRARIES.map((name) => `${name} ${packageJson.dependencies[name]}`),
    ...programs.filter((line) => line !== undefined),
    ...PEERS.map((name) => `${name} ${packageJson.devDependencies[name]}`),
  ].join("; ");
}

function versionOf(name: string, flags: readonly string[]): string | undefined {
  const file = findOnPath(name);
  if (file === undefined) return undefined;
  const output = execFileSync(file, flags, { encoding: "utf8" });
  const version = output.match(/\d+(\.\d+)+/)?.[0];
  return `${name} ${version ?? "of an unknown version"}`;
}
