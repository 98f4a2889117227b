import { UsherError } from "../../base/errors.ts";
import type { Payload } from "../repository.ts";
import type { Features } from "./tube-kinds.ts";

/** A task that is put. What is undefined takes the tube's default. */
export interface NewTask {
  readonly payload: Payload;
  /** Bytes that payload and attributes take in an answer. */
  readonly size: number;
  readonly priority: number | undefined;
  readonly delayMs: number | undefined;
  readonly ttlMs: number | undefined;
  readonly ttrMs: number | undefined;
  /** Empty: none. */
  readonly group: string;
  /** Empty: none. */
  readonly dedupKey: string;
}

/** Throws INVALID_PARAMS naming each field that a tube of this kind does not have. */
export function checkAgainstKind(
  has: Features,
  tasks: readonly NewTask[],
  field: (index: number) => string,
): void {
  if (has.timed && has.grouped) return;
  for (const [index, task] of tasks.entries()) {
    const lacking: string[] = [];
    if (!has.timed) {
      if (task.priority !== undefined) lacking.push("priority");
      if (task.delayMs !== undefined) lacking.push("delay");
      if (task.ttlMs !== undefined) lacking.push("ttl");
      if (task.ttrMs !== undefined) lacking.push("ttr");
    }
    if (!has.grouped && task.group !== "") lacking.push("group");
    if (lacking.length === 0) continue;
    throw new UsherError("INVALID_PARAMS", {
      message: `a tube of this kind has no ${lacking.join(", ")}`,
      violations: lacking.map((name) => ({
        field: `${field(index)}.${name}`,
        description: "a tube of this kind does not have it",
      })),
    });
  }
}
