/**
 * Scales that move size from one tensor of a decoder layer into another without changing what the float layer computes
 * (learnable equivalent transformation, OmniQuant, arXiv 2308.13137). Folded into the weights, they cost nothing later.
 */
import { SpikeError, type HostTensor } from '@spikellm/backend';
import {
  floatWeight,
  type HostArena,
  type LayerWeights,
  type LinearWeights,
  type NormWeights,
} from '@spikellm/graph';
import type { Fold, FoldPart } from './folds.ts';

/** A scale above 0 of each channel of a fold, by its name; a fold without one stays as it is. */
export type EquivalentScales = Readonly<Partial<Record<string, ArrayLike<number>>>>;

type Factor = (index: number) => number;

/**
 * A float layer with the scales folded in, its weights in memory of `allocate`. Errors: INVALID_ARGUMENT for key scales that
 * differ within a rotary pair (i, i + D/2): RoPE would mix what they scale.
 */
export function applyScales(
  weights: LayerWeights,
  folds: readonly Fold[],
  scales: EquivalentScales,
  allocate: HostArena['allocate'] = (bytes) => new ArrayBuffer(bytes),
): LayerWeights {
  const factors = new Map<string, Factor>();
  for (const fold of folds) {
    const scale = scales[fold.name];
    if (scale === undefined) continue;
    checkTied(fold, scale);
    for (const part of fold.parts) {
      const key = `${part.node} ${part.side}`;
      const [before, factor] = [factors.get(key), factorOf(part, scale)];
      factors.set(key, before ? (i) => before(i) * factor(i) : factor);
    }
  }
  const of = (node: string, side: FoldPart['side']): Factor | undefined => factors.get(`${node} ${side}`);
  const norms = [...weights.norms].map(([name, norm]): [string, NormWeights] => [
    name,
    scaleNorm(norm, of(name, 'norm'), allocate),
  ]);
  const linears = [...weights.linears].map(([name, linear]): [string, LinearWeights] => [
    name,
    scaleLinear(linear, of(name, 'rows'), of(name, 'columns'), allocate),
  ]);
  return { ...weights, norms: new Map(norms), linears: new Map(linears) };
}

const itself: Factor = (i) => i;
const factorOf = ({ power, at = itself }: FoldPart, scale: ArrayLike<number>): Factor =>
  power === 1 ? (i) => scale[at(i)] : (i) => 1 / scale[at(i)];

/** The weight that a norm multiplies by is what it stores and its offset. */
function scaleNorm(
  norm: NormWeights,
  factor: Factor | undefined,
  allocate: HostArena['allocate'],
): NormWeights {
  if (factor === undefined) return norm;
  const { offset } = norm.node;
  const { weight, bias } = norm;
  return {
    ...norm,
    weight: mapTensor(
      weight,
      offset === 0 ? (w, i) => w * factor(i) : (w, i) => (offset + w) * factor(i) - offset,
      allocate,
    ),
    bias: bias && mapTensor(bias, (b, i) => b * factor(i), allocate),
  };
}

function scaleLinear(
  linear: LinearWeights,
  rows: Factor | undefined,
  columns: Factor | undefined,
  allocate: HostArena['allocate'],
): LinearWeights {
  if (!rows && !columns) return linear;
  const dense = denseOf(linear);
  const [, inputs] = dense.dims;
  const factor: Factor = (i) => (rows?.(Math.floor(i / inputs)) ?? 1) * (columns?.(i % inputs) ?? 1);
  return {
    ...linear,
    weight: floatWeight(mapTensor(dense, (w, i) => w * factor(i), allocate)),
    bias: linear.bias && rows ? mapTensor(linear.bias, (b, o) => b * rows(o), allocate) : linear.bias,
  };
}

/** The floats of a linear that is not quantised yet, [O, C]. Throws an `Error` for one that is. */
export function denseOf({ node, weight }: LinearWeights): HostTensor {
  if (weight.dense === undefined) throw new Error(`internal: ${node.name} is not in float`);
  return weight.dense;
}

function mapTensor(
  { data, dims }: HostTensor,
  of: (value: number, index: number) => number,
  allocate: HostArena['allocate'],
): HostTensor {
  const values = data as Float32Array;
  const mapped = new Float32Array(allocate(values.byteLength));
  for (let i = 0; i < mapped.length; i++) mapped[i] = of(values[i], i);
  return { type: 'float32', dims, data: mapped };
}

function checkTied({ name, tied }: Fold, scale: ArrayLike<number>): void {
  if (tied === undefined) return;
  const first = new Map<number, number>();
  for (let i = 0; i < scale.length; i++) {
    const group: number = tied.at(i);
    const other: number = first.get(group) ?? i;
    first.set(group, other);
    if (scale[i] === scale[other]) continue;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: `${name} scales`,
      expected: `one scale for the rotary pair of channels ${other} and ${i}`,
      received: `${scale[other]} and ${scale[i]}`,
    });
  }
}
