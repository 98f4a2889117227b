import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A file system of its own, of so many MiB. */
export interface SmallDisk {
  readonly folder: string;
  makeReadOnly(): void;
}

/**
 * Mounts a small file system for one test. Undefined, with a line that says so, where this machine
 * does not let the tests do that.
 */
export function smallDisk(t: TestContext, mebibytes: number): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), "usher-disk-"));
  const mounted = mount("-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder);
  if (!mounted) {
    rmdirSync(folder);
    console.log(`${t.name}: not tried, for no file system can be mounted here`);
    return undefined;
  }
  t.after(() => {
    spawnSync("umount", ["--lazy", folder]);
    rmdirSync(folder);
  });
  return {
    folder,
    makeReadOnly() {
      if (!mount("-o", "remount,ro", folder)) throw new Error("it cannot be remounted");
    },
  };
}

function mount(...args: string[]): boolean {
  return spawnSync("mount", args).status === 0;
}
