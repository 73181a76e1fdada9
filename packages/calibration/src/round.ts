/** Float weights rounded to the nearest code, row by row. */
import { nextTurn, packCodes, type HostTensor } from '@spikellm/backend';
import {
  createArena,
  FLOAT_BITS,
  hostTensor,
  integerWeight,
  type LayerWeights,
  type LinearWeights,
  type Weight,
} from '@spikellm/graph';
import { denseOf } from './transforms/apply-scales.ts';
import { quantiseRows, type Clipping } from './weight-quantiser.ts';

/** Codes of `bits` bits of float32 rows [O, C]. */
export function roundRows(
  { data, dims: [outputs, inputs] }: HostTensor,
  bits: number,
  clipping?: Clipping,
): Weight {
  const arena = createArena();
  const { codes, scale, zero } = quantiseRows(
    data as Float32Array,
    inputs,
    { bits, symmetric: false },
    clipping,
    arena.allocate,
  );
  const packed = packCodes(codes, outputs, inputs, bits);
  arena.free();
  return integerWeight({
    bits,
    inputs,
    codes: hostTensor('uint8', packed, [outputs, packed.length / outputs]),
    scale: hostTensor('float32', scale),
    zero: hostTensor('int32', zero),
  });
}

/**
 * A layer whose linears are rounded, or left as they are at 16 bits. Lets timers and signals run between linears; rejects
 * with the signal's reason when aborted.
 *
 * @param clipping - by name of the linear
 */
export async function roundLayer(
  weights: LayerWeights,
  bits: number,
  clipping?: ReadonlyMap<string, Clipping>,
  signal?: AbortSignal,
): Promise<LayerWeights> {
  if (bits >= FLOAT_BITS) return weights;
  const linears = new Map<string, LinearWeights>();
  for (const [name, linear] of weights.linears) {
    await nextTurn();
    signal?.throwIfAborted();
    const own = (): Weight => roundRows(denseOf(linear), bits, clipping?.get(name));
    linears.set(name, linear.node.router ? linear : { ...linear, weight: own() });
  }
  return { ...weights, linears };
}
