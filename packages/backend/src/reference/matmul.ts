/**
 * y[n,o] (+)= sum over c in [from, to) of x[n,c] w[o,c], summed in float64: four rows of x against two rows of w at a
 * time, so that each value read serves several products.
 */
export function matmulTransposed(
  x: Float32Array,
  w: Float32Array,
  y: Float32Array | Float64Array,
  N: number,
  O: number,
  C: number,
  from = 0,
  to = C,
): void {
  let n = 0;
  for (; n + 4 <= N; n += 4) {
    const x0 = n * C;
    const x1 = x0 + C;
    const x2 = x1 + C;
    const x3 = x2 + C;
    let o = 0;
    for (; o + 2 <= O; o += 2) {
      const w0 = o * C;
      const w1 = w0 + C;
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      for (let c = from; c < to; c++) {
        const a = w[w0 + c];
        const b = w[w1 + c];
        const p = x[x0 + c];
        const q = x[x1 + c];
        const r = x[x2 + c];
        const s = x[x3 + c];
        a0 += a * p;
        a1 += a * q;
        a2 += a * r;
        a3 += a * s;
        b0 += b * p;
        b1 += b * q;
        b2 += b * r;
        b3 += b * s;
      }
      const y0 = n * O + o;
      y[y0] = a0;
      y[y0 + O] = a1;
      y[y0 + 2 * O] = a2;
      y[y0 + 3 * O] = a3;
      y[y0 + 1] = b0;
      y[y0 + O + 1] = b1;
      y[y0 + 2 * O + 1] = b2;
      y[y0 + 3 * O + 1] = b3;
    }
    for (; o < O; o++) {
      for (let row = n; row < n + 4; row++) y[row * O + o] = dot(x, row * C, w, o * C, from, to);
    }
  }
  for (; n < N; n++) {
    for (let o = 0; o < O; o++) y[n * O + o] = dot(x, n * C, w, o * C, from, to);
  }
}

function dot(x: Float32Array, atX: number, w: Float32Array, atW: number, from: number, to: number): number {
  let even = 0;
  let odd = 0;
  let c = from;
  for (; c + 2 <= to; c += 2) {
    even += x[atX + c] * w[atW + c];
    odd += x[atX + c + 1] * w[atW + c + 1];
  }
  if (c < to) even += x[atX + c] * w[atW + c];
  return even + odd;
}

/** The transpose of a [rows, columns] matrix. */
export function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = matrix[row * columns + column];
  }
  return result;
}
