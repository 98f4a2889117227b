/** The candidate that `name` most likely stands for; undefined if none is close. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = Math.max(2, Math.floor(name.length / 4)) + 1;
  for (const candidate of candidates) {
    const edits = editsBetween(name, candidate);
    if (edits < bestEdits) [best, bestEdits] = [candidate, edits];
  }
  if (best !== undefined) return best;
  const longer = candidates.find((one) => one.startsWith(name) || one.endsWith(name));
  return longer ?? candidates.find((one) => name.startsWith(one));
}

/** How many letters must be added, removed or changed to make one of the other (Levenshtein). */
function editsBetween(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...to].entries()) {
      const changed = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      const removed = (previous[column + 1] ?? 0) + 1;
      const added = (current[column] ?? 0) + 1;
      current.push(Math.min(changed, removed, added));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
