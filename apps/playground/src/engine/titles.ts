/** How settings and inputs are called. */
import {
  ownSettings,
  pipelineOf,
  PIPELINES,
  spikingConfig,
  type GptqSettings,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { weightFormat } from '@spikellm/graph';
import { METRICS, obs } from '@spikellm/saliency';

export const PIPELINE_TITLES = Object.fromEntries(PIPELINES.map(({ name, title }) => [name, title]));

export const METRIC_TITLES = Object.fromEntries(
  METRICS.map((metric) => {
    const { name } = metric;
    if ('gains' in metric) return [name, `${name}, one budget`];
    return [name, metric === obs ? `${name}, as published` : name];
  }),
);

/** A spike site by the linears that read it, such as `q, k, v`. */
export const siteTitle = (site: string): string => (site === 'qkv' ? 'q, k, v' : site.replaceAll('_', ', '));

/** Such as `round-to-nearest W4A4, T = 2 in 10 % (obs)`. */
export function titleOf(settings: QuantizeSettings): string {
  const spiking = spikingConfig(settings);
  const { bits, steps, saliency, salient_fraction: salient } = spiking.activations;
  const { meanSteps } = ownSettings(settings) as Partial<GptqSettings>;
  const weights =
    meanSteps === undefined ? weightFormat(spiking).title : `ternary weights of ${meanSteps} steps, `;
  const salience =
    steps === 1 ? 'T = 1' : `T = ${steps} in ${Number((salient * 100).toFixed(1))} % (${saliency})`;
  const rotated = settings.rotate === 'none' ? '' : ', rotated';
  return `${pipelineOf(settings).title} ${weights}A${bits}, ${salience}${rotated}`;
}
