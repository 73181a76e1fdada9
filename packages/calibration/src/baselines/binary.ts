/** Binary weights as the baselines have them. */

/**
 * One pass over the masked weights of each output: mu their mean, alpha the mean of |w - mu|, q = mu + alpha sign(w - mu),
 * sign(0) = 0. More passes do the same to what is left, and their sum is returned; 0 outside the mask.
 *
 * @param values - columns [n, O]
 * @param mask - 1 for the weights that are meant, [n, O]
 */
export function binarise(values: Float32Array, mask: Uint8Array, O: number, passes: number): Float32Array {
  const sum = new Float32Array(values.length);
  for (let pass = 0; pass < passes; pass++) {
    const counts = new Int32Array(O);
    const means = new Float64Array(O);
    const sizes = new Float64Array(O);
    for (let i = 0; i < values.length; i++) {
      if (mask[i] === 0) continue;
      counts[i % O] += 1;
      means[i % O] += values[i] - sum[i];
    }
    for (let o = 0; o < O; o++) means[o] /= Math.max(1, counts[o]);
    for (let i = 0; i < values.length; i++) {
      if (mask[i] !== 0) sizes[i % O] += Math.abs(values[i] - sum[i] - means[i % O]);
    }
    for (let i = 0; i < values.length; i++) {
      if (mask[i] === 0) continue;
      const o = i % O;
      sum[i] += means[o] + (sizes[o] / counts[o]) * Math.sign(values[i] - sum[i] - means[o]);
    }
  }
  return sum;
}

/** Sum of (a - b)^2 where the mask is 1. */
export function maskedError(a: Float32Array, b: Float32Array, mask: Uint8Array): number {
  let error = 0;
  for (let i = 0; i < a.length; i++) if (mask[i] !== 0) error += (a[i] - b[i]) ** 2;
  return error;
}
