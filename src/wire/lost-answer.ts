import type { ContextKey, ContextValues } from "@connectrpc/connect";

/**
 * A handler leaves here, among the values of its call's context, what is to be done if the answer
 * does not reach the caller.
 */
export const onAnswerLost: ContextKey<(() => void) | undefined> = {
  id: Symbol("onAnswerLost"),
  defaultValue: undefined,
};

/** The answer did not reach the caller: does, once, what the handler has left for this case. */
export function answerLost(values: ContextValues | undefined): void {
  const undo = values?.get(onAnswerLost);
  if (undo === undefined) return;
  values?.delete(onAnswerLost);
  undo();
}
