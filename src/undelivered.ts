/**
 * Where a handler leaves, among the values of its call's context, what is to be done if its answer
 * does not reach the caller. The server looks for it there when it knows.
 */
export const undelivered: { id: symbol; defaultValue: (() => void) | undefined } = {
  id: Symbol("undelivered"),
  defaultValue: undefined,
};
