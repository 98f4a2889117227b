import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "./rows.ts";

/** How long and how often things are measured. */
export interface Pace {
  /** Whether the amounts of data are cut down, so that all of it takes less than three minutes. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Of one round of one system. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** What every measure works with. */
export interface Bench {
  readonly pace: Pace;
  /** Where Usher's CPU profiles go; undefined: none are made. */
  readonly profileFolder: string | undefined;
  /** Says what goes on, to whoever waits. */
  readonly say: (line: string) => void;
}

/** Something that `--only` can pick. */
export interface Measure {
  readonly name: string;
  run(bench: Bench): Promise<Row[]>;
}

/** A folder that goes with what is deferred to, or with this process if that is cut short. */
export function temporaryFolder(stack: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), "usher-bench-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  stack.defer(() => {
    process.off("exit", remove);
    remove();
  });
  return folder;
}
