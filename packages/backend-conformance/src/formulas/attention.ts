import type { Dims } from '@spikellm/backend';
import { matrix, range, sum, type Formula, type Numbers, type Operands } from './formula.ts';
import { quantiserOf, type GifAttributes } from './spiking.ts';

/** Values of one head and channel: of query n, or of cached token t as query n sees it. */
interface Seen {
  readonly q: (n: number, h: number, d: number) => number;
  readonly key: (n: number, t: number, h: number, d: number) => number;
  readonly value: (t: number, h: number, d: number) => number;
}

/** The score of a product of query and key. */
export const scoreOf = (product: number, { scale, softcap }: Dims): number =>
  softcap > 0 ? softcap * Math.tanh((product * scale) / softcap) : product * scale;

/** Probabilities of query n and head h over the tokens 0 .. position + n; those outside the window have 0. */
function probabilities({ q, key }: Seen, dims: Dims, n: number, h: number, position: number): number[] {
  const { D, window } = dims;
  const scores = range(position + n + 1).map((t) =>
    window > 0 && position + n - t >= window
      ? -Infinity
      : scoreOf(
          sum(D, (d) => q(n, h, d) * key(n, t, h, d)),
          dims,
        ),
  );
  const largest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = sum(weights.length, (t) => weights[t]);
  return weights.map((weight) => weight / total);
}

function attention(seen: Seen, dims: Dims, position: number): number[] {
  const { N, H, D } = dims;
  const P = range(N).map((n) => range(H).map((h) => probabilities(seen, dims, n, h, position)));
  return matrix(N, H * D, (n, column) => {
    const h = Math.floor(column / D);
    return sum(P[n][h].length, (t) => P[n][h][t] * seen.value(t, h, column % D));
  });
}

/** Rows of `added` written into `cache` from row `position` on. */
function appended(cache: Numbers, added: Numbers, position: number, width: number): number[] {
  const result = Array.from(cache);
  for (let i = 0; i < added.length; i++) result[position * width + i] = added[i];
  return result;
}

/** The key/value head that query head h reads. */
const headOf = ({ H, K }: Dims, h: number): number => Math.floor(h / (H / K));

const plainQueries =
  (q: Numbers, { H, D }: Dims): Seen['q'] =>
  (n, h, d) =>
    q[(n * H + h) * D + d];

/** Queries through their own codes, one step per token and head. */
function spikingQueries(q: Numbers, { N, H, D }: Dims, attributes: GifAttributes): Seen['q'] {
  const decoded = range(N * H).map((head) => {
    const group = range(D).map((d) => q[head * D + d]);
    const { code, decode } = quantiserOf(group, 1, attributes);
    return group.map((x) => decode(code(x)));
  });
  return (n, h, d) => decoded[n * H + h][d];
}

const attend: Formula = ({ q, k, v, keys, values }, dims, _, { position }) => {
  const { K, D } = dims;
  const allKeys = appended(keys, k, position, K * D);
  const allValues = appended(values, v, position, K * D);
  const column = (t: number, h: number, d: number): number => (t * K + headOf(dims, h)) * D + d;
  const seen: Seen = {
    q: plainQueries(q, dims),
    key: (_n, t, h, d) => allKeys[column(t, h, d)],
    value: (t, h, d) => allValues[column(t, h, d)],
  };
  return { y: attention(seen, dims, position), keys: allKeys, values: allValues };
};

interface TokenCache {
  readonly codes: number[];
  readonly scale: number[];
  readonly zero: number[];
  readonly decoded: (t: number, head: number, d: number) => number;
}

/** A cache with one quantiser per token, head and class, after x was appended. */
function tokenCache(
  { codes, scale, zero, steps, x }: Operands,
  { N, K, D, S }: Dims,
  attributes: GifAttributes,
  position: number,
): TokenCache {
  const { classes } = attributes;
  const after = { codes: Array.from(codes), scale: Array.from(scale), zero: Array.from(zero) };
  const classOf = (head: number, d: number): number => classes.indexOf(steps[head * D + d]);
  for (const n of range(N)) {
    for (const head of range(K)) {
      const group = range(D).map((d) => x[(n * K + head) * D + d]);
      const quantisers = classes.map((T) => quantiserOf(group, T, attributes));
      const at = (position + n) * K + head;
      quantisers.forEach((quantiser, s) => {
        after.scale[at * S + s] = quantiser.scale;
        after.zero[at * S + s] = quantiser.zero;
      });
      group.forEach((value, d) => (after.codes[at * D + d] = quantisers[classOf(head, d)].code(value)));
    }
  }
  const decoded = (t: number, head: number, d: number): number => {
    const s = (t * K + head) * S + classOf(head, d);
    return (after.codes[(t * K + head) * D + d] - after.zero[s]) * after.scale[s];
  };
  return { ...after, decoded };
}

const cacheOperands = (operands: Operands, prefix: 'key' | 'value'): Operands => ({
  codes: operands[`${prefix}Codes`],
  scale: operands[`${prefix}Scale`],
  zero: operands[`${prefix}Zero`],
  steps: operands[`${prefix}Steps`],
  x: operands[prefix === 'key' ? 'k' : 'v'],
});

const attendTokens: Formula = (operands, dims, attributes: GifAttributes, { position }) => {
  const keys = tokenCache(cacheOperands(operands, 'key'), dims, attributes, position);
  const values = tokenCache(cacheOperands(operands, 'value'), dims, attributes, position);
  const seen: Seen = {
    q: spikingQueries(operands.q, dims, attributes),
    key: (_n, t, h, d) => keys.decoded(t, headOf(dims, h), d),
    value: (t, h, d) => values.decoded(t, headOf(dims, h), d),
  };
  return {
    y: attention(seen, dims, position),
    keyCodes: keys.codes,
    keyScale: keys.scale,
    keyZero: keys.zero,
    valueCodes: values.codes,
    valueScale: values.scale,
    valueZero: values.zero,
  };
};

const attendBlocks: Formula = (
  operands,
  dims,
  attributes: GifAttributes & { readonly block: number },
  { position },
) => {
  const { N, K, D } = dims;
  const { block } = attributes;
  const width = K * D;
  const { k, openKeys, keySteps } = operands;
  const codes = Array.from(operands.keyCodes);
  const scale = Array.from(operands.keyScale);
  const zero = Array.from(operands.keyZero);
  // Keys in float, from the first token of the block that is open at the start.
  const start = position - (position % block);
  const floats = appended(openKeys, k, position - start, width);
  for (let b = start / block; (b + 1) * block <= position + N; b++) {
    for (const channel of range(width)) {
      const group = range(block).map((t) => floats[(b * block - start + t) * width + channel]);
      const quantiser = quantiserOf(group, keySteps[channel], attributes);
      scale[b * width + channel] = quantiser.scale;
      zero[b * width + channel] = quantiser.zero;
      group.forEach((x, t) => (codes[(b * block + t) * width + channel] = quantiser.code(x)));
    }
  }
  const values = tokenCache(cacheOperands(operands, 'value'), dims, attributes, position);
  const seen: Seen = {
    q: spikingQueries(operands.q, dims, attributes),
    key: (n, t, h, d) => {
      const channel = headOf(dims, h) * D + d;
      const blockOf = Math.floor(t / block);
      const isOpen = blockOf === Math.floor((position + n) / block);
      if (isOpen) return floats[(t - start) * width + channel];
      const at = blockOf * width + channel;
      return (codes[t * width + channel] - zero[at]) * scale[at];
    },
    value: (t, h, d) => values.decoded(t, headOf(dims, h), d),
  };
  const open = position + N - ((position + N) % block);
  return {
    y: attention(seen, dims, position),
    openKeys: matrix(block, width, (t, channel) => floats[(open - start + t) * width + channel] ?? 0),
    keyCodes: codes,
    keyScale: scale,
    keyZero: zero,
    valueCodes: values.codes,
    valueScale: values.scale,
    valueZero: values.zero,
  };
};

const attendWhole: Formula = ({ q, k, v, keySteps, valueSteps }, dims, attributes: GifAttributes) => {
  const { N, K, H, D } = dims;
  const at = (x: Numbers, n: number, h: number, d: number): number => x[(n * K + headOf(dims, h)) * D + d];
  const keyQuantisers = range(H * D).map((column) => {
    const group = range(N).map((n) => at(k, n, Math.floor(column / D), column % D));
    return quantiserOf(group, keySteps[column], attributes);
  });
  const keys = matrix(N, H * D, (n, column) => {
    const { code, decode } = keyQuantisers[column];
    return decode(code(at(k, n, Math.floor(column / D), column % D)));
  });
  const values = matrix(N, H * D, (n, column) => {
    const h = Math.floor(column / D);
    const group = range(D).map((d) => at(v, n, h, d));
    const { code, decode } = quantiserOf(group, valueSteps[column], attributes);
    return decode(code(group[column % D]));
  });
  const seen: Seen = {
    q: spikingQueries(q, dims, attributes),
    key: (_n, t, h, d) => keys[(t * H + h) * D + d],
    value: (t, h, d) => values[(t * H + h) * D + d],
  };
  return { y: attention(seen, dims, 0) };
};

/** As printed: A = k o ((q^T q) k^T) and v o ((P^T P) v), each summed over tokens. */
const kvSaliency: Formula = ({ q, k, v, keyScore, valueScore }, dims) => {
  const { N, K, H, D } = dims;
  const at = (x: Numbers, n: number, h: number, d: number): number => x[(n * K + headOf(dims, h)) * D + d];
  const seen: Seen = {
    q: plainQueries(q, dims),
    key: (_n, t, h, d) => at(k, t, h, d),
    value: (t, h, d) => at(v, t, h, d),
  };
  const P = range(H).map((h) => range(N).map((n) => probabilities(seen, dims, n, h, 0)));
  return {
    keyScore: matrix(H, D, (h, d) => {
      const gram = range(D).map((e) => sum(N, (n) => seen.q(n, h, d) * seen.q(n, h, e)));
      const added = sum(N, (n) => at(k, n, h, d) * sum(D, (e) => gram[e] * at(k, n, h, e)));
      return keyScore[h * D + d] + added;
    }),
    valueScore: matrix(H, D, (h, d) => {
      const context = range(N).map((n) => sum(n + 1, (t) => P[h][n][t] * at(v, t, h, d)));
      const added = sum(N, (t) => at(v, t, h, d) * sum(N, (n) => (t > n ? 0 : P[h][n][t] * context[n])));
      return valueScore[h * D + d] + added;
    }),
  };
};

export const attentionFormulas = {
  attend_f32: attend,
  attend_gif_token_f32: attendTokens,
  attend_gif_block_f32: attendBlocks,
  attend_gif_whole_f32: attendWhole,
  kv_saliency_f32: kvSaliency,
};
