/** The tiny LLaMA in float64, one number after the other: its loss where one carried number is moved. */
import type { Tensors } from '@spikellm/fixtures';
import { nodesOf, rotaryAngles, type ModelGraph } from '@spikellm/graph';

/** One number that spikes would carry, and how far it is moved. */
export interface Move {
  readonly layer: number;
  /** Linears that read the moved input, or `key` or `value`. */
  readonly readers: readonly string[];
  readonly token: number;
  readonly channel: number;
  readonly by: number;
  /** Whether each query head has keys and values of its own. */
  readonly repeated?: boolean;
  /** Tokens of a block: queries of the block see the key in float. */
  readonly block?: number;
}

type Rows = Float64Array[];

/** Sum over the window of -log p(next token). */
export function lossInFloat64(
  tensors: Tensors,
  { config, layers: graphs, rotary }: ModelGraph,
  ids: readonly number[],
  move?: Move,
): number {
  const { heads: H, kvHeads: K, headSize: D, hiddenSize: C, layers } = config;
  const [{ eps }] = nodesOf(graphs[0], 'norm');
  const data = (name: string): Float32Array => tensors.get(name)!.data as Float32Array;
  const { cos, sin } = rotaryAngles(rotary.rope, ids.length);
  const norm = (rows: Rows, weight: Float32Array): Rows =>
    rows.map((row) => {
      const square = row.reduce((sum, value) => sum + value * value, 0) / C;
      return row.map((value, j) => (value * weight[j]) / Math.sqrt(square + eps));
    });
  const product = (rows: Rows, weight: Float32Array): Rows =>
    rows.map((row) =>
      Float64Array.from({ length: weight.length / row.length }, (_, o) =>
        row.reduce((sum, value, j) => sum + value * weight[o * row.length + j], 0),
      ),
    );
  const add = (a: Rows, b: Rows): Rows => a.map((row, n) => row.map((value, j) => value + b[n][j]));
  const rotate = (rows: Rows): Rows =>
    rows.map((row, n) =>
      row.map((value, i) => {
        const pair = i % D;
        const half = D / 2;
        const at = (n * D) / 2 + (pair % half);
        const [c, s] = [(cos.data as Float32Array)[at], (sin.data as Float32Array)[at]];
        return pair < half ? value * c - row[i + half] * s : value * c + row[i - half] * s;
      }),
    );
  const moved = (layer: number, reader: string, rows: Rows): Rows =>
    move?.layer === layer && move.readers.includes(reader)
      ? rows.map((row, n) =>
          n === move.token ? row.map((value, j) => value + (j === move.channel ? move.by : 0)) : row,
        )
      : rows;
  const repeat = (rows: Rows): Rows =>
    rows.map((row) =>
      Float64Array.from(
        { length: H * D },
        (_, i) => row[Math.floor((Math.floor(i / D) * K) / H) * D + (i % D)],
      ),
    );

  const table = data('model.embed_tokens.weight');
  let x: Rows = ids.map((id) => Float64Array.from(table.subarray(id * C, (id + 1) * C)));
  for (let layer = 0; layer < layers; layer++) {
    const weight = (name: string): Float32Array => data(`model.layers.${layer}.${name}.weight`);
    const linear = (name: string, rows: Rows): Rows => product(moved(layer, name, rows), weight(name));
    const normed = norm(x, weight('input_layernorm'));
    const q = rotate(linear('self_attn.q_proj', normed));
    const k = rotate(linear('self_attn.k_proj', normed));
    const v = linear('self_attn.v_proj', normed);
    const own = move?.repeated === true;
    const float = repeat(k);
    const keys = own ? moved(layer, 'key', float) : repeat(moved(layer, 'key', k));
    const values = own ? moved(layer, 'value', repeat(v)) : repeat(moved(layer, 'value', v));
    const block = move?.block ?? 1;
    const open = (n: number, t: number): boolean =>
      move?.block !== undefined && Math.floor(n / block) === Math.floor(t / block);
    const attended = q.map((row, n) =>
      [...Array(H).keys()].reduce(
        (y, h) => {
          const at = [...Array(n + 1).keys()];
          const scores = at.map((t) => {
            let dot = 0;
            for (let d = h * D; d < (h + 1) * D; d++) dot += row[d] * (open(n, t) ? float : keys)[t][d];
            return Math.exp(dot / Math.sqrt(D));
          });
          const total = scores.reduce((sum, score) => sum + score, 0);
          for (let d = h * D; d < (h + 1) * D; d++) {
            y[d] = at.reduce((sum, t) => sum + (scores[t] / total) * values[t][d], 0);
          }
          return y;
        },
        new Float64Array(H * D),
      ),
    );
    const middle = add(x, linear('self_attn.o_proj', attended));
    const after = norm(middle, weight('post_attention_layernorm'));
    const gate = linear('mlp.gate_proj', after);
    const up = linear('mlp.up_proj', after);
    const hidden = gate.map((row, n) => row.map((value, j) => (value / (1 + Math.exp(-value))) * up[n][j]));
    x = add(middle, linear('mlp.down_proj', hidden));
  }
  const logits = product(norm(x, data('model.norm.weight')), table);
  return ids.slice(1).reduce((loss, id, n) => {
    const largest = Math.max(...logits[n]);
    const total = logits[n].reduce((sum, value) => sum + Math.exp(value - largest), 0);
    return loss + Math.log(total) + largest - logits[n][id];
  }, 0);
}
