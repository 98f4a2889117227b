import type { ContextValues } from "@connectrpc/connect";
import { undelivered } from "../undelivered.ts";

/** An answer did not reach its caller: does, once, what the handler has left for this case. */
export function undoAnswer(values: ContextValues | undefined): void {
  const undo = values?.get(undelivered);
  if (undo === undefined) return;
  values?.delete(undelivered);
  undo();
}
