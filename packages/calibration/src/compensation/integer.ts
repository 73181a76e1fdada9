/** Whole-number weights by GPTQ, as the kernels take them. */
import { packCodes, SpikeError } from '@spikellm/backend';
import { createArena, FLOAT_BITS, hostTensor, integerWeight } from '@spikellm/graph';
import { createUniformQuantiser } from './grid.ts';
import type { CompensatedKind } from './kind.ts';
import type { WeightMethod } from './layer.ts';
import { sweepColumns, toColumns, toRows } from './sweep.ts';

/** One grid an output, which holds 0, and codes of `bits` bits. */
export const integerMethod =
  (bits: number): WeightMethod =>
  async (backend, weight, hessian) => {
    const C = hessian.order.length;
    const O = weight.length / C;
    const arena = createArena();
    const columns = toColumns(weight, hessian.order, arena.allocate);
    const quantiser = createUniformQuantiser(columns, O, { bits, symmetric: false });
    arena.free();
    const { error } = await sweepColumns(backend, weight, hessian, quantiser);
    const codes = packCodes(toRows(quantiser.codes, hessian.order), O, C, bits);
    const [{ scale, zero }] = quantiser.grids;
    const packed = integerWeight({
      bits,
      inputs: C,
      codes: hostTensor('uint8', codes, [O, codes.length / O]),
      scale: hostTensor('float32', scale),
      zero: hostTensor('int32', zero),
    });
    return { weight: packed, error };
  };

export const integerKind: CompensatedKind = {
  settings: () => undefined,
  method: (bits) => (bits >= FLOAT_BITS ? undefined : integerMethod(bits)),
  check({ meanSteps, weightGroup, weightUnit }) {
    const [where, received] = Object.entries({ meanSteps, weightGroup }).find(
      ([, value]) => value !== undefined,
    ) ?? ['weightUnit', weightUnit === 'element' ? weightUnit : undefined];
    if (received === undefined) return;
    throw new SpikeError('INVALID_ARGUMENT', {
      where,
      expected: 'none with integer weights',
      received: String(received),
      remedy: 'take ternary weights',
    });
  },
  rowBytes: () => undefined,
};
