import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { findOnPath } from "./find.ts";

const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  h2load: ["--version"],
  beanstalkd: ["-v"],
  tarantool: ["--version"],
  "redis-server": ["--version"],
};

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
    ...programs.filter((line) => line !== undefined),
  ].join("; ");
}

function versionOf(name: string, flags: readonly string[]): string | undefined {
  const file = findOnPath(name);
  if (file === undefined) return undefined;
  const output = execFileSync(file, flags, { encoding: "utf8" });
  const version = output.match(/\d+(\.\d+)+/)?.[0];
  return `${name} ${version ?? "of an unknown version"}`;
}
