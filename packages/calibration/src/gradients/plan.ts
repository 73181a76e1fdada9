/** Spike steps for a whole model under one budget of operations, by what they take off the language-model loss. */
import type { ModelGraph } from '@spikellm/graph';
import { allocateBudget, type GainMetric, type StepGains } from '@spikellm/saliency';
import type { CommonSettings } from '../settings/settings.ts';
import type { LayerSteps } from '../steps.ts';
import type { LayerMoments } from './moments.ts';
import { quotaOperations, stepSites, stepsOfSites, type StepSite } from './step-sites.ts';

/** Numbers of steps that a channel may get. */
export const STEP_CHOICES = [1, 2, 4] as const;

export interface StepPlan {
  readonly layers: readonly LayerSteps[];
  /** Multiply-adds per token over one step everywhere: what the quota rule would spend, and what this plan does. */
  readonly operations: { readonly budget: number; readonly spent: number };
}

/**
 * Hands out steps by falling gain per operation over all channels of all layers, K and V among them. The budget is what the
 * quota rule spends with the same settings; with granularity `linear` all channels of a site are bought together.
 *
 * Errors: NOT_FINITE for a model whose gradients are not.
 */
export function planSteps(
  graph: ModelGraph,
  settings: CommonSettings,
  length: number,
  metric: GainMetric,
  moments: readonly LayerMoments[],
): StepPlan {
  const sites = graph.layers.map((layer) => stepSites(layer, settings, length));
  const whole = settings.granularity === 'linear';
  const gains = sites.map((own, layer) =>
    own.map((site) => siteGains(site, metric.gains(moments[layer].get(site.name)!), whole)),
  );
  const budget = quotaOperations(graph, settings, length);
  const bought = allocateBudget(gains.flat(), budget);
  let spent = 0;
  let next = 0;
  const layers = sites.map((own) => {
    const steps = own.map(({ channels, cost }) => {
      const each = bought[next++];
      for (const T of each) spent += (whole ? cost * channels : cost) * (T - 1);
      return whole ? new Uint8Array(channels).fill(each[0]) : each;
    });
    return stepsOfSites(own, steps);
  });
  return { layers, operations: { budget, spent } };
}

function siteGains(
  { cost, channels }: StepSite,
  each: ReadonlyMap<number, ArrayLike<number>>,
  whole: boolean,
): StepGains {
  if (!whole) return { outputs: cost, gains: each };
  const sum = (values: ArrayLike<number>): number[] => [
    Array.from(values).reduce((total, value) => total + value, 0),
  ];
  return {
    outputs: cost * channels,
    gains: new Map([...each].map(([T, values]) => [T, sum(values)])),
  };
}
