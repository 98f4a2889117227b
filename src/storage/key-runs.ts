/** Calls `visit` with the first and the last key of each run of consecutive keys, in order. */
export function eachRunOfKeys(
  sortedKeys: ArrayLike<number>,
  visit: (first: number, last: number) => void,
): void {
  const { length } = sortedKeys;
  for (let start = 0; start < length; ) {
    let end = start;
    // A key may come twice.
    while (end + 1 < length && (sortedKeys[end + 1] as number) <= (sortedKeys[end] as number) + 1) {
      end++;
    }
    visit(sortedKeys[start] as number, sortedKeys[end] as number);
    start = end + 1;
  }
}

export function ascending(a: number, b: number): number {
  return a - b;
}
