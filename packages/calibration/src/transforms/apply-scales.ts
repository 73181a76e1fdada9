/**
 * Scales that move size from one tensor of a decoder layer into another without changing what the float layer computes
 * (learnable equivalent transformation, OmniQuant, arXiv 2308.13137). Folded into the weights, they cost nothing later.
 */
import { SpikeError, type HostTensor } from '@spikellm/backend';
import type { DecoderConfig, LayerWeights, LinearWeights, Loan } from '@spikellm/graph';

/** Scales of one layer, each above 0; a group that is absent stays as it is. */
export interface EquivalentScales {
  /** [C]: the norm before attention is divided, the columns of q, k and v are multiplied. */
  readonly qkv?: ArrayLike<number> | undefined;
  /** [C]: the norm before the MLP is divided, the columns of gate and up are multiplied. */
  readonly gateUp?: ArrayLike<number> | undefined;
  /** [K D]: rows of v are divided, the columns of o that read them, one per query head of the group, multiplied. */
  readonly value?: ArrayLike<number> | undefined;
  /** [K D]: rows of q that meet a key channel are divided, rows of k multiplied. Equal within each rotary pair. */
  readonly key?: ArrayLike<number> | undefined;
}

type Factor = (index: number) => number;

/**
 * A float layer with the scales folded in, its weights in memory of `allocate`. Errors: INVALID_ARGUMENT for key scales that differ within a
 * rotary pair (i, i + D/2): RoPE would mix what they scale.
 */
export function applyScales(
  weights: LayerWeights,
  config: DecoderConfig,
  scales: EquivalentScales,
  allocate: Loan['allocate'] = (bytes) => new ArrayBuffer(bytes),
): LayerWeights {
  if (scales.key) checkRotaryPairs(scales.key, config.headSize);
  const { qkv, gateUp, value, key } = scales;
  const cached = cachedChannel(config);
  const times = (scale: ArrayLike<number> | undefined, at: Factor = (i) => i): Factor | undefined =>
    scale && ((i) => scale[at(i)]);
  const over = (scale: ArrayLike<number> | undefined, at: Factor = (i) => i): Factor | undefined =>
    scale && ((i) => 1 / scale[at(i)]);
  const factors: Record<
    string,
    { readonly rows?: Factor | undefined; readonly columns?: Factor | undefined }
  > = {
    'self_attn.q_proj': { rows: over(key, cached), columns: times(qkv) },
    'self_attn.k_proj': { rows: times(key), columns: times(qkv) },
    'self_attn.v_proj': { rows: over(value), columns: times(qkv) },
    'self_attn.o_proj': { columns: times(value, cached) },
    'mlp.gate_proj': { columns: times(gateUp) },
    'mlp.up_proj': { columns: times(gateUp) },
  };
  const scaled = (tensor: HostTensor, factor: Factor | undefined): HostTensor =>
    factor ? mapTensor(tensor, (w, i) => w * factor(i), allocate) : tensor;
  return {
    ...weights,
    inputNorm: scaled(weights.inputNorm, over(qkv)),
    mlpNorm: scaled(weights.mlpNorm, over(gateUp)),
    linears: weights.linears.map((linear) => {
      const { rows, columns } = factors[linear.entry.name] ?? {};
      return scaleLinear(linear, rows, columns, allocate);
    }),
  };
}

/** The channel of the KV cache that channel i of the query heads meets. */
export const cachedChannel =
  ({ heads, kvHeads, headSize }: DecoderConfig): Factor =>
  (i) =>
    Math.floor((Math.floor(i / headSize) * kvHeads) / heads) * headSize + (i % headSize);

function scaleLinear(
  linear: LinearWeights,
  rows: Factor | undefined,
  columns: Factor | undefined,
  allocate: Loan['allocate'],
): LinearWeights {
  if (!rows && !columns) return linear;
  const { inputs } = linear.entry;
  const factor: Factor = (i) => (rows?.(Math.floor(i / inputs)) ?? 1) * (columns?.(i % inputs) ?? 1);
  return {
    ...linear,
    weight: mapTensor(linear.weight as HostTensor, (w, i) => w * factor(i), allocate),
    bias: linear.bias && rows ? mapTensor(linear.bias, (b, o) => b * rows(o), allocate) : linear.bias,
  };
}

function mapTensor(
  { data, dims }: HostTensor,
  of: (value: number, index: number) => number,
  allocate: Loan['allocate'],
): HostTensor {
  const values = data as Float32Array;
  const mapped = new Float32Array(allocate(values.byteLength));
  for (let i = 0; i < mapped.length; i++) mapped[i] = of(values[i], i);
  return { type: 'float32', dims, data: mapped };
}

function checkRotaryPairs(key: ArrayLike<number>, headSize: number): void {
  for (let i = 0; i < key.length; i++) {
    const pair = i % headSize < headSize / 2 ? i + headSize / 2 : i - headSize / 2;
    if (key[i] === key[pair]) continue;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'key scales',
      expected: `one scale for the rotary pair of channels ${Math.min(i, pair)} and ${Math.max(i, pair)}`,
      received: `${key[i]} and ${key[pair]}`,
    });
  }
}
