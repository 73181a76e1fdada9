import type { CheckpointWriter } from '@spikellm/checkpoint';
import type { GainMetric } from '@spikellm/saliency';
import { ownSettings, pipelineOf } from '../pipelines/index.ts';
import { metricOfSettings, type QuantizeSettings } from '../settings/settings.ts';
import type { LayerSteps } from '../steps.ts';
import { spillingOf } from '../streams.ts';
import { measureGradients, type GradientPassOptions } from './measure.ts';
import { planSteps, STEP_CHOICES, type StepPlan } from './plan.ts';

export interface PlanModelOptions extends Omit<
  GradientPassOptions,
  'fold' | 'choices' | 'spilling' | 'settings'
> {
  readonly settings: QuantizeSettings;
  /** Keeps the plan for a resumed run, and the activations that memory has no room for. */
  readonly writer: CheckpointWriter;
  /** Bytes of activations that stay in memory. */
  readonly memory: number;
}

/**
 * The steps of a whole model by a metric with gains, before any layer is encoded; for training too they are chosen once, on
 * the float model. Errors: those of `measureGradients` and `planSteps`.
 */
export async function planModel({ writer, memory, ...options }: PlanModelOptions): Promise<StepPlan> {
  const known = await writer.readNote(NOTE);
  if (known !== undefined) return fromNote(known as PlanNote);
  const { graph, settings, windows } = options;
  const pipeline = pipelineOf(settings);
  const own = ownSettings(settings);
  const moments = await measureGradients({
    ...options,
    fold:
      pipeline.fold &&
      ((weights, layer, sizes, allocate) => pipeline.fold!(weights, layer, sizes, own, allocate)),
    choices: STEP_CHOICES,
    spilling: spillingOf(writer, memory),
  });
  const metric = metricOfSettings(settings) as GainMetric;
  const plan = planSteps(graph, settings, windows[0].length, metric, moments);
  await writer.writeNote(NOTE, toNote(plan));
  return plan;
}

const NOTE = 'steps';

interface PlanNote {
  readonly layers: readonly {
    readonly linears: Readonly<Record<string, number[]>>;
    readonly kv?: { readonly keys: number[]; readonly values: number[] };
  }[];
  readonly operations: StepPlan['operations'];
}

const toNote = ({ layers, operations }: StepPlan): PlanNote => ({
  operations,
  layers: layers.map(({ linears, kv }) => ({
    linears: Object.fromEntries([...linears].map(([name, steps]) => [name, [...steps]])),
    ...(kv && { kv: { keys: [...kv.keys], values: [...kv.values] } }),
  })),
});

const fromNote = ({ layers, operations }: PlanNote): StepPlan => ({
  operations,
  layers: layers.map(({ linears, kv }): LayerSteps => ({
    linears: new Map(Object.entries(linears).map(([name, steps]) => [name, Uint8Array.from(steps)])),
    kv: kv && { keys: Uint8Array.from(kv.keys), values: Uint8Array.from(kv.values) },
  })),
});
