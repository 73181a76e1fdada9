import { SpikeError } from '@spikellm/backend';
import { FLOAT_BITS } from '@spikellm/graph';
import { integerMethod } from '../compensation/integer.ts';
import { compensateLayer, type LinearLog } from '../compensation/layer.ts';
import { GPTQ_FIELDS, type GptqSettings } from '../compensation/settings.ts';
import { compensationSize } from '../compensation/size.ts';
import { ternaryMethod, ternarySettings } from '../compensation/ternary.ts';
import { linearsOf } from '../sizing/pipeline-size.ts';
import type { CommonSettings } from '../settings/settings.ts';
import { pipeline, type LayerTask } from './pipeline.ts';

/** How the linears of one layer came out. */
export interface GptqLog {
  readonly layer: number;
  readonly linears: readonly LinearLog[];
}

/**
 * GPTQ (arXiv 2210.17323): layer after layer, on what the layers before it, quantised and spiking, hand over; columns of a
 * weight make up for the errors of those before them. To whole numbers, or to ternary spikes.
 */
export const gptq = pipeline<GptqSettings>({
  name: 'gptq',
  title: 'GPTQ',
  fields: GPTQ_FIELDS,
  check,
  weights: (_, own) => (own.weights === 'ternary' ? ternarySettings(own) : undefined),
  streams: () => ({ quantised: true }),
  work: { phase: 'compensate', units: (layer) => linearsOf(layer).length },
  logFile: 'gptq_log.json',
  quantizeLayer,
  size: compensationSize,
});

async function quantizeLayer(task: LayerTask<GptqSettings>) {
  const { own, settings, streams, weights } = task;
  if (settings.weightBits >= FLOAT_BITS && own.weights === 'integer') return weights;
  const linears: LinearLog[] = [];
  const quantised = await compensateLayer({
    ...task,
    inputs: streams.quantised!,
    method: own.weights === 'ternary' ? ternaryMethod(own) : integerMethod(settings.weightBits),
    onLinear(linear) {
      linears.push(linear);
      task.onProgress(linears.length);
    },
  });
  await task.log({ linears });
  return quantised;
}

/** Errors: INVALID_ARGUMENT for settings that do not go together. */
function check(_: CommonSettings, own: GptqSettings): void {
  const { weights, equalSteps, weightGroup, weightUnit, weightSteps, salientSteps } = own;
  const refuse = (where: string, expected: string, received: unknown, remedy: string): never => {
    throw new SpikeError('INVALID_ARGUMENT', { where, expected, received: String(received), remedy });
  };
  if (weights === 'integer') {
    const [where, received] = Object.entries({ equalSteps, weightGroup }).find(
      ([, value]) => value !== undefined,
    ) ?? ['weightUnit', weightUnit];
    if (received === undefined || received === 'channel') return;
    refuse(where, 'none with integer weights', received, 'take ternary weights');
  }
  if (weightUnit !== 'element') return;
  if (equalSteps !== undefined) {
    const remedy = 'say with salientWeights how many weights have salientSteps';
    refuse('equalSteps', 'none where single weights are the unit', equalSteps, remedy);
  }
  if (salientSteps <= weightSteps) {
    const expected = `more than the ${weightSteps} of other weights, where single weights are the unit`;
    refuse('salientSteps', expected, salientSteps, 'take more, or channels as the unit');
  }
}
