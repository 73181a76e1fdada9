import { roundLayer } from '../round.ts';
import { equivalentScales, initialParameters, trainedFolds } from '../training/parameters.ts';
import { TRAINING_FIELDS, type TrainingSettings } from '../training/settings.ts';
import { trainingSize } from '../training/size.ts';
import { trainLayer } from '../training/train.ts';
import { applyScales } from '../transforms/apply-scales.ts';
import { pipeline, type LayerTask } from './pipeline.ts';

/**
 * OmniQuant (arXiv 2308.13137) and SpikeLLM (arXiv 2407.04752): layer after layer is trained on what the layers before it,
 * already spiking, hand over.
 */
export const omniquant = pipeline<TrainingSettings>({
  name: 'omniquant',
  title: 'OmniQuant',
  fields: TRAINING_FIELDS,
  streams: (_, { augmentedLoss }) => ({
    float: 'sizes',
    quantised: true,
    ...(augmentedLoss && { augmented: true }),
  }),
  work: { phase: 'train', units: (_, windows, { epochs }) => epochs * windows },
  logFile: 'training_log.json',
  fold(weights, layer, { absmax }, own, allocate) {
    const folds = trainedFolds(layer);
    const initial = initialParameters(weights, layer, absmax, own);
    return applyScales(weights, folds, equivalentScales(initial, folds), allocate);
  },
  quantizeLayer,
  size: trainingSize,
});

async function quantizeLayer(task: LayerTask<TrainingSettings>) {
  const { graph, layer, weights, sizes, own, settings, streams, windows, allocate, signal } = task;
  const parameters = initialParameters(weights, layer, sizes!.absmax, own);
  const losses: number[] = [];
  const progress = { layer: layer.index, layers: graph.layers.length, epochs: own.epochs, losses };
  let done = 0;
  await trainLayer({
    ...task,
    training: own,
    parameters,
    length: windows[0].length,
    windows: windows.length,
    inputs: streams.quantised!,
    targets: [streams.float!, ...(streams.augmented ? [streams.augmented] : [])],
    where: `layer ${layer.index}`,
    async onEpoch(_, loss) {
      losses.push(loss);
      await task.log({ losses });
    },
    onStep: () => task.onProgress(++done, progress),
  });
  const folds = trainedFolds(layer);
  const folded = applyScales(weights, folds, equivalentScales(parameters, folds), allocate);
  return roundLayer(folded, settings.weightBits, parameters.clipping, signal);
}
