import type { ContextKey, ContextValues } from "@connectrpc/connect";

/**
 * The key of a value in a call's context. A handler leaves a function there, to be called if the
 * answer does not reach the caller.
 */
export const onAnswerLost: ContextKey<(() => void) | undefined> = {
  id: Symbol("onAnswerLost"),
  defaultValue: undefined,
};

/** Calls once what the handler has left for an answer that did not reach the caller. */
export function answerLost(values: ContextValues | undefined): void {
  const undo = values?.get(onAnswerLost);
  if (undo === undefined) return;
  values?.delete(onAnswerLost);
  undo();
}
