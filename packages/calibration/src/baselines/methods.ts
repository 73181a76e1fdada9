/**
 * Weight-only methods that have no packed format here: their weights come back as floats, with an honest count of the bits
 * that a format of theirs would store. Scales and offsets count 16 bits each, as they are published.
 */
import { checkWeightGroup, type Backend } from '@spikellm/backend';
import type { FactoredHessian } from '../compensation/factor.ts';
import { createUniformQuantiser } from '../compensation/grid.ts';
import { sweepColumns, toColumns, type ColumnQuantiser, type Sweep } from '../compensation/sweep.ts';
import { scaleAndRound } from './awq.ts';
import { createBillmQuantiser } from './billm.ts';
import { createPbLlmQuantiser, pbLlmBits, pbLlmSteps, type PbLlmSettings } from './pb-llm.ts';

export type BaselineMethod =
  | ({ readonly name: 'pb-llm' } & PbLlmSettings)
  | { readonly name: 'billm' }
  /** Whole-number weights with a grid for each output, of input channels with scales. */
  | { readonly name: 'awq'; readonly bits: number }
  /** Whole-number weights with a grid for each output and group of columns; the last group takes what is left. */
  | { readonly name: 'gptq'; readonly bits: number; readonly group: number };

/** A linear as a method leaves it. */
export interface FakeQuantised extends Sweep {
  /** Bits that all its weights take, with scales and maps. */
  readonly bits: number;
  /** Mean additions of a weight and input, one for a sign or trit, n for a code of n bits. */
  readonly steps: number;
}

const SCALE_BITS = 16;

/** Quantises one weight [O, C] whose inputs have this Hessian. */
export async function fakeQuantise(
  backend: Backend,
  weights: Float32Array,
  hessian: FactoredHessian,
  method: BaselineMethod,
): Promise<FakeQuantised> {
  const C = hessian.order.length;
  const O = weights.length / C;
  const sweep = (quantiser: ColumnQuantiser): Promise<Sweep> =>
    sweepColumns(backend, weights, hessian, quantiser);
  switch (method.name) {
    case 'pb-llm': {
      const swept = await sweep(createPbLlmQuantiser(weights, hessian, method));
      return { ...swept, bits: pbLlmBits(O, C, method), steps: pbLlmSteps(method) };
    }
    case 'billm': {
      const quantiser = createBillmQuantiser(O, hessian);
      const swept = await sweep(quantiser);
      const salient = quantiser.salientColumns();
      const blocks = Math.ceil(C / quantiser.block);
      // Signs, two in a salient column; a map of the two sides of the cut elsewhere, one of the columns in each block; mean
      // and size of each part, twice of the salient one.
      const bits = O * (2 * salient + 2 * (C - salient)) + C + O * blocks * 8 * SCALE_BITS;
      return { ...swept, bits, steps: 1 + salient / C };
    }
    case 'awq': {
      const { bits } = method;
      const rounded = await scaleAndRound(backend, weights, hessian, bits);
      return { ...rounded, bits: O * C * bits + O * (SCALE_BITS + bits) + C * SCALE_BITS, steps: bits };
    }
    default: {
      const { bits, group } = method;
      checkWeightGroup(group, 'group');
      const columns = toColumns(weights, hessian.order);
      const swept = await sweep(createUniformQuantiser(columns, O, { bits, symmetric: false }, group));
      return { ...swept, bits: O * C * bits + O * Math.ceil(C / group) * (SCALE_BITS + bits), steps: bits };
    }
  }
}
