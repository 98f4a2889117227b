/** How long work waits for a lock; then it goes without, for only its speed depends on it. */
const PATIENCE_MS = 5_000;

/** Runs `work` after all that came before it under any of the names. */
export type WithLocks = <T>(names: readonly string[], work: () => Promise<T>) => Promise<T>;

/**
 * Lets steps that write one document go one by one within this process. Side by side MongoDB would
 * abort all of them but one, again and again: a hundred steps would take seconds.
 */
export function createAdvisoryLocks(patienceMs = PATIENCE_MS): WithLocks {
  const last = new Map<string, Promise<void>>();
  return async (names, work) => {
    const done = Promise.withResolvers<void>();
    const before = names.flatMap((name) => last.get(name) ?? []);
    for (const name of names) last.set(name, done.promise);
    try {
      if (before.length > 0) await patiently(Promise.all(before), patienceMs);
      return await work();
    } finally {
      done.resolve();
      for (const name of names) {
        if (last.get(name) === done.promise) last.delete(name);
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
