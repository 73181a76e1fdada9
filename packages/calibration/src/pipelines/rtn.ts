import { roundLayer } from '../round.ts';
import { layerSize } from '../sizing/pipeline-size.ts';
import { pipeline } from './pipeline.ts';

/** Round-to-nearest: every weight becomes the code that is closest to it. */
export const rtn = pipeline({
  name: 'rtn',
  title: 'round-to-nearest',
  fields: {},
  quantizeLayer: ({ weights, settings, signal }) =>
    roundLayer(weights, settings.weightBits, undefined, signal),
  size: layerSize({ folds: false }),
});
