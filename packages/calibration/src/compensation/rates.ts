/** Short measurements of what GPTQ computes, on a small linear of the model's proportions. */
import { createRunner } from '@spikellm/backend';
import type { LayerGraph } from '@spikellm/graph';
import type { Probe } from '../sizing/pipeline-size.ts';
import { randomMatrix } from '../sizing/random-matrix.ts';
import { factorHessian } from './factor.ts';
import { kindOf } from './kinds.ts';
import { GPTQ_FIELDS, type GptqSettings } from './settings.ts';
import { hessianSites } from './sites.ts';

/** Seconds per unit of the formulas of `compensationSeconds`. */
export interface CompensationRates {
  /** Per token and C^2 of a Hessian. */
  readonly hessian: number;
  /** Per C^3 of a factor. */
  readonly factor: number;
  /** Per O C^2 of a sweep: products that carry errors. */
  readonly product: number;
  /** Per O C of a sweep: columns one by one. */
  readonly column: number;
}

/** Of one layer. */
export function compensationSeconds(layer: LayerGraph, tokens: number, rates: CompensationRates): number {
  let seconds = 0;
  for (const { inputs: C, outputs } of hessianSites(layer)) {
    seconds += rates.hessian * tokens * C ** 2 + rates.factor * C ** 3;
    for (const O of outputs) seconds += rates.product * O * C ** 2 + rates.column * O * C;
  }
  return seconds;
}

/** Measures the linear with the most inputs. Errors: those of the backend; rejects with the signal's reason. */
export async function measureCompensation({
  backend,
  layer,
  settings,
  own,
  length,
  signal,
}: Probe<GptqSettings>): Promise<CompensationRates> {
  const [site] = hessianSites(layer).toSorted((a, b) => b.inputs - a.inputs);
  const [C, O] = [site.inputs, site.outputs[0]];
  const half = Math.ceil(C / 2);
  using runner = createRunner(backend);
  /** Seconds of the second of two turns: the first makes memory and code ready. */
  const timed = async <T>(
    work: () => Promise<T>,
  ): Promise<{ readonly seconds: number; readonly result: T }> => {
    await work();
    signal?.throwIfAborted();
    const began = performance.now();
    const result = await work();
    return { seconds: (performance.now() - began) / 1000, result };
  };

  const x = runner.upload(randomMatrix(length, C, 1, 0));
  const gram = await timed(async () => {
    using hessian = backend.allocate('float32', [C, C]);
    runner.run('gram_f32', { x, hessian });
    return (await backend.read(hessian)).data as Float32Array;
  });
  const factoring = { backend, damping: GPTQ_FIELDS.damping.default, actOrder: true, where: 'probe' };
  const factor = await timed(() => factorHessian(gram.result, factoring));
  const a = runner.upload(randomMatrix(half, half, 1, 1));
  const b = runner.upload(randomMatrix(half, O, 1, 2));
  const carried = await timed(async () => {
    using y = runner.run('matmul_tn_f32', { a, b }).y;
    await backend.read(y);
  });
  const weight = randomMatrix(O, C, 1, 3).data as Float32Array;
  const method = kindOf(own).method(Math.min(8, settings.weightBits), own)!;
  const sweep = await timed(() => method(backend, weight, factor.result));
  // The first product has half of what all carry, each of the next two a quarter of its, and so on.
  const products = 2 * carried.seconds;
  return {
    hessian: gram.seconds / (length * C ** 2),
    factor: factor.seconds / C ** 3,
    product: products / (O * C ** 2),
    column: Math.max(sweep.seconds - products, sweep.seconds / 10) / (O * C),
  };
}
