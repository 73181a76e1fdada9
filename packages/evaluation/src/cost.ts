import { parseModel } from '@spikellm/graph';
import type { ModelReport } from './describe.ts';
import type { KvReport } from './kv-cost.ts';
import { sum } from './sum.ts';
import { transformMacs } from './transform-operations.ts';

/** What a model costs beside its perplexity, for programs. */
export interface ModelCost {
  /** Mean spike steps of an input channel; null where activations are float. */
  readonly meanSteps: number | null;
  /** Products of weight and spike steps over those of the same linears at one step each: the ratio of their ACE. */
  readonly aceRatio: number;
  /** Operations of rotations that run over the multiply-accumulates of the linears. */
  readonly transformMacRatio: number;
  readonly kv: KvReport;
  /** As in `kv`. */
  readonly floatResidueBits: number;
  /** With scales, zero points and lists of steps. */
  readonly bitsPerWeight: number;
  /** With scales and zero points. */
  readonly bitsPerActivation: number;
}

/** @param config - parsed config.json of the model that `report` describes */
export function modelCost(
  config: Readonly<Record<string, unknown>>,
  { linears, total, kv }: ModelReport,
): ModelCost {
  return {
    meanSteps: total.averageSteps,
    aceRatio: sum(linears, ({ products }) => products) / total.weights,
    transformMacRatio: transformMacs(parseModel(config).layers) / total.weights,
    kv,
    floatResidueBits: kv.floatResidueBits,
    bitsPerWeight: total.bitsPerWeight,
    bitsPerActivation: total.bitsPerActivation,
  };
}
