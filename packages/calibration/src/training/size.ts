/** What training layer by layer takes. */
import { encodePart, linearsOf, type PipelineSize } from '../sizing/pipeline-size.ts';
import type { TrainingSettings } from './settings.ts';

const F32 = 4;

/**
 * A layer in float32 is held in host memory, on the device, and there once more rounded; the workspace keeps tensors by
 * shape, so one gradient of each shape of a linear stays too.
 */
export const trainingSize: PipelineSize<TrainingSettings> = {
  folds: true,
  parts(bytes) {
    const { layer, streams, weights, training } = bytes;
    const shapes = new Map(
      linearsOf(layer).map(({ inputs, outputs }) => [`${outputs} ${inputs}`, inputs * outputs]),
    );
    const gradients = F32 * [...shapes.values()].reduce((sum, size) => sum + size, 0);
    return [
      { part: 'train', bytes: streams + 3 * weights + gradients + training },
      encodePart(bytes, true, streams),
    ];
  },
  /** The float stream and the spiking one go through each layer; the latter once more where channels are scored. */
  seconds({ weights, tokens, scores, rates }, { epochs, augmentedLoss }) {
    const again = scores ? rates.scored : augmentedLoss ? rates.forward : 0;
    const perToken = epochs * rates.training + 2 * rates.forward + again;
    return perToken * tokens * weights + rates.encoding * weights;
  },
};
