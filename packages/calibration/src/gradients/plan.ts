/** Spike steps for a whole model under one budget of operations, by what they take off the language-model loss. */
import type { DecoderConfig } from '@spikellm/graph';
import { allocateBudget, type StepGains } from '@spikellm/saliency';
import type { QuantizeSettings } from '../settings.ts';
import type { LayerSteps } from '../steps.ts';
import type { ChannelMoments, LayerMoments } from './moments.ts';
import { layerPlaces, quotaOperations, stepsOfPlaces, type Place } from './places.ts';

/** Numbers of steps that a channel may get. */
export const STEP_CHOICES = [1, 2, 4] as const;

export interface StepPlan {
  readonly layers: readonly LayerSteps[];
  /** Multiply-adds per token over one step everywhere: what the quota rule would spend, and what this plan does. */
  readonly operations: { readonly budget: number; readonly spent: number };
}

/**
 * Hands out steps by falling gain per operation over all channels of all layers, K and V among them:
 * gain_j(T) = E[g_j^2] (E[(Q_1(x_j) - x_j)^2] - E[(Q_T(x_j) - x_j)^2]) / (cost (T - 1)), g = dLoss / dx. The budget is what
 * the quota rule spends with the same settings; with granularity `linear` all channels of a place are bought together.
 *
 * Errors: NOT_FINITE for a model whose gradients are not.
 */
export function planSteps(
  config: DecoderConfig,
  settings: QuantizeSettings,
  length: number,
  moments: readonly LayerMoments[],
): StepPlan {
  const places = layerPlaces(config, settings, length);
  const whole = settings.granularity === 'linear';
  const gains = moments.flatMap((layer) =>
    places.map((place) => placeGains(place, layer.get(place.name)!, whole)),
  );
  const budget = quotaOperations(config, settings, length);
  const bought = allocateBudget(gains, budget);
  let spent = 0;
  for (const [i, { outputs }] of gains.entries()) for (const T of bought[i]) spent += outputs * (T - 1);
  const steps = bought.map((each, i) =>
    whole ? new Uint8Array(places[i % places.length].channels).fill(each[0]) : each,
  );
  const layers = moments.map((_, layer) =>
    stepsOfPlaces(places, steps.slice(layer * places.length, (layer + 1) * places.length)),
  );
  return { layers, operations: { budget, spent } };
}

function placeGains(
  { cost, channels }: Place,
  { gradients, errors }: ChannelMoments,
  whole: boolean,
): StepGains {
  const plain = errors.get(1)!;
  const more = [...errors].filter(([T]) => T > 1);
  const each = more.map(([T, error]): [number, Float64Array] => [
    T,
    gradients.map((g, j) => g * (plain[j] - error[j])),
  ]);
  if (!whole) return { outputs: cost, gains: new Map(each) };
  const sum = (values: Float64Array): number[] => [values.reduce((total, value) => total + value, 0)];
  return { outputs: cost * channels, gains: new Map(each.map(([T, values]) => [T, sum(values)])) };
}
