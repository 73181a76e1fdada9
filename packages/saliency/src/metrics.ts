/** All metrics. To add one is to add its file and its line. */
import { SpikeError } from '@spikellm/backend';
import { fisher } from './fisher.ts';
import type { SaliencyMetric } from './metric.ts';
import { obs } from './obs.ts';
import { random } from './random.ts';

/** The first is the default. */
export const METRICS: readonly SaliencyMetric[] = [obs, random, fisher];

/** The metric of a name. Errors: INVALID_ARGUMENT. */
export function metricOf(name: string): SaliencyMetric {
  const found = METRICS.find((metric) => metric.name === name);
  if (found !== undefined) return found;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'saliency',
    expected: METRICS.map((metric) => metric.name).join(', '),
    received: name,
  });
}
