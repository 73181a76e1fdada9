/** Lengths that a text of a set can have, in rising order, by its first UTF-16 unit. */
export type Lengths = ReadonlyMap<number, readonly number[]>;

/** What has to be looked up at a place, instead of a tree, which takes far more memory for a large vocabulary. */
export function lengthsOf(texts: Iterable<string>): Lengths {
  const found = new Map<number, Set<number>>();
  for (const text of texts) {
    if (text === '') continue;
    const first = text.charCodeAt(0);
    const lengths = found.get(first) ?? new Set();
    found.set(first, lengths.add(text.length));
  }
  return new Map(Array.from(found, ([first, lengths]) => [first, [...lengths].toSorted((a, b) => a - b)]));
}
