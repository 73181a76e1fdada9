import { roundLayer } from '../round.ts';
import { layerSize } from '../sizing/pipeline-size.ts';
import { planFolds } from '../transforms/folds.ts';
import { smoothLayer } from '../transforms/smoothing.ts';
import { pipeline } from './pipeline.ts';

/** SmoothQuant (arXiv 2211.10438): outliers of activations move into the weights, which are then rounded to nearest. */
export const smoothquant = pipeline({
  name: 'smoothquant',
  title: 'SmoothQuant',
  fields: {},
  streams: () => ({ float: 'sizes' }),
  fold: (weights, layer, sizes, _, allocate) => smoothLayer(weights, planFolds(layer), sizes, allocate),
  quantizeLayer: ({ weights, layer, sizes, settings, allocate, signal }) =>
    roundLayer(
      smoothLayer(weights, planFolds(layer), sizes!, allocate),
      settings.weightBits,
      undefined,
      signal,
    ),
  size: layerSize({ folds: true }),
});
