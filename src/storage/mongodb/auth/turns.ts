/** How long a step waits for those before it; then it goes, for nothing but speed depends on it. */
const PATIENCE_MS = 5_000;

/** Runs `work` after whatever came before it under any of the names. */
export type InTurn = <T>(names: readonly string[], work: () => Promise<T>) => Promise<T>;

/**
 * Lets steps that write one document go one after the other within this process. At once all but
 * one of them would be aborted and repeated, over and over: a hundred would take seconds.
 */
export function createTurns(patienceMs = PATIENCE_MS): InTurn {
  const last = new Map<string, Promise<void>>();
  return async (names, work) => {
    const turn = Promise.withResolvers<void>();
    const before = names.flatMap((name) => last.get(name) ?? []);
    for (const name of names) last.set(name, turn.promise);
    try {
      if (before.length > 0) await patiently(Promise.all(before), patienceMs);
      return await work();
    } finally {
      turn.resolve();
      for (const name of names) {
        if (last.get(name) === turn.promise) last.delete(name);
      }
    }
  };
}

async function patiently(others: Promise<unknown>, patienceMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, patienceMs);
  await Promise.race([others, over.promise]);
  clearTimeout(timer);
}
