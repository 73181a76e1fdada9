import type { SamplingOptions } from '@spikellm/graph';

/** How texts are drawn where the command line does not say: as generation_config.json does, else the likeliest token. */
export function samplingOf(
  generation: Readonly<Record<string, unknown>>,
  asked: SamplingOptions,
): SamplingOptions {
  const number = (name: string): number | undefined => {
    const value = generation[name];
    return typeof value === 'number' && value > 0 ? value : undefined;
  };
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  const temperature = generation.do_sample === true ? (number('temperature') ?? 1) : 0;
  const defaults = { temperature, topK: number('top_k'), topP: number('top_p') };
  const stated = Object.entries(temperature > 0 ? defaults : { temperature });
  return { ...Object.fromEntries(stated.filter(([, value]) => value !== undefined)), ...given };
}
