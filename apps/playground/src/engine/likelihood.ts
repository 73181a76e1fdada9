/** Distributions over a vocabulary, from logits. */

/** ln p of every token, [V]. */
export function logProbabilities(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const shift = top + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
  return Float64Array.from(logits, (logit) => logit - shift);
}

/** KL(p || q) = sum p (ln p - ln q) in nats, of two distributions given as logarithms [V]. */
export function divergenceOf(p: Float64Array, q: Float64Array): number {
  let sum = 0;
  for (let id = 0; id < p.length; id++) sum += Math.exp(p[id]) * (p[id] - q[id]);
  // Rounding can leave a hair below zero.
  return Math.max(0, sum);
}

/** The ids of the largest values, from the largest down; of equal ones the first. */
export function largest(values: Float64Array, count: number): number[] {
  const found: number[] = [];
  for (let id = 0; id < values.length; id++) {
    if (found.length === count && values[id] <= values[found[count - 1]]) continue;
    let place = found.length;
    while (place > 0 && values[id] > values[found[place - 1]]) place--;
    found.splice(place, 0, id);
    if (found.length > count) found.pop();
  }
  return found;
}
