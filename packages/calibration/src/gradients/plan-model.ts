import type { CheckpointWriter } from '@spikellm/checkpoint';
import type { DecoderConfig } from '@spikellm/graph';
import { applyScales } from '../equivalence.ts';
import { equivalentScales, initialParameters } from '../omniquant/parameters.ts';
import type { QuantizeSettings } from '../settings.ts';
import { smoothLayer } from '../smoothing.ts';
import type { LayerSteps } from '../steps.ts';
import { spillingOf } from '../streams.ts';
import { measureGradients, type GradientPassOptions } from './gradients.ts';
import { planSteps, STEP_CHOICES, type StepPlan } from './plan.ts';

export interface PlanModelOptions extends Omit<GradientPassOptions, 'fold' | 'choices' | 'spilling'> {
  /** Keeps the plan for a resumed run, and the activations that memory has no room for. */
  readonly writer: CheckpointWriter;
  /** Bytes of activations that stay in memory. */
  readonly memory: number;
}

/**
 * The steps of a whole model, before any layer is encoded; for training too they are chosen once, on the float model.
 * Errors: those of `measureGradients` and `planSteps`.
 */
export async function planModel({ writer, memory, ...options }: PlanModelOptions): Promise<StepPlan> {
  const known = await writer.readNote(NOTE);
  if (known !== undefined) return fromNote(known as PlanNote);
  const { config, settings, windows } = options;
  const moments = await measureGradients({
    ...options,
    fold: foldOf(config, settings),
    choices: STEP_CHOICES,
    spilling: spillingOf(writer, memory),
  });
  const plan = planSteps(config, settings, windows[0].length, moments);
  await writer.writeNote(NOTE, toNote(plan));
  return plan;
}

/** What a pipeline does to a layer before its inputs are encoded, as far as it is known before training. */
function foldOf(
  config: DecoderConfig,
  { pipeline, training }: QuantizeSettings,
): GradientPassOptions['fold'] {
  const folds: Record<QuantizeSettings['pipeline'], GradientPassOptions['fold']> = {
    rtn: undefined,
    gptq: undefined,
    smoothquant: (weights, sizes, allocate) => smoothLayer(weights, config, sizes, allocate),
    omniquant: (weights, { absmax }, allocate) => {
      const initial = initialParameters(weights, config, absmax, training);
      return applyScales(weights, config, equivalentScales(initial, config), allocate);
    },
  };
  return folds[pipeline];
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
