import type { LayerWeights } from '@spikellm/graph';
import { kindOf } from '../compensation/kinds.ts';
import { compensateLayer, type LinearLog } from '../compensation/layer.ts';
import { GPTQ_FIELDS, type GptqSettings } from '../compensation/settings.ts';
import { compensationSize } from '../compensation/size.ts';
import { linearsOf } from '../sizing/pipeline-size.ts';
import { pipeline, type LayerTask } from './pipeline.ts';

/**
 * GPTQ (arXiv 2210.17323): layer after layer, on what the layers before it, quantised and spiking, hand over; columns of a
 * weight make up for the errors of those before them. To whole numbers, or to ternary spikes.
 */
export const gptq = pipeline<GptqSettings>({
  name: 'gptq',
  title: 'GPTQ',
  fields: GPTQ_FIELDS,
  check: (_, own) => kindOf(own).check(own),
  weights: (_, own) => kindOf(own).settings(own),
  streams: () => ({ quantised: true }),
  work: { phase: 'compensate', units: (layer) => linearsOf(layer).length },
  logFile: 'gptq_log.json',
  quantizeLayer,
  size: compensationSize,
});

async function quantizeLayer(task: LayerTask<GptqSettings>): Promise<LayerWeights> {
  const { own, settings, streams, weights } = task;
  const method = kindOf(own).method(settings.weightBits, own);
  if (method === undefined) return weights;
  const linears: LinearLog[] = [];
  const quantised = await compensateLayer({
    ...task,
    inputs: streams.quantised!,
    method,
    onLinear(linear) {
      linears.push(linear);
      task.onProgress(linears.length);
    },
  });
  await task.log({ linears });
  return quantised;
}
