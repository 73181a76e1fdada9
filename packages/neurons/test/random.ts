/** A seeded generator of uniform numbers in [0, 1), multiples of 2^-24: their sums and small products are exact. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state >>> 8) * 2 ** -24;
  };
}
