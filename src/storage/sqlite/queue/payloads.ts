import type { DatabaseSync } from "node:sqlite";
import type { Payload } from "../../../queue/repository.ts";
import { ascending, eachRunOfKeys } from "../../key-runs.ts";
import { type Columns, payloadColumns, toPayload } from "./rows.ts";

/** Prepares what reads the payloads of tasks by their keys. */
export function preparePayloads(
  handle: DatabaseSync,
): (keys: readonly number[]) => Map<number, Payload> {
  const select = handle.prepare(
    `SELECT ${payloadColumns.join(", ")}, key FROM tasks WHERE key BETWEEN ? AND ?`,
  );
  select.setReturnArrays(true);
  return (keys) => {
    const found = new Map<number, Payload>();
    eachRunOfKeys(keys.toSorted(ascending), (first, last) => {
      for (const row of select.iterate(first, last)) {
        const columns = row as unknown as Columns;
        found.set(Number(columns[payloadColumns.length]), toPayload(columns));
      }
    });
    return found;
  };
}
