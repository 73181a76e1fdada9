/** Weights of ternary GIF neurons by GPTQ: {-1, 0, +1} a step, more steps for salient input channels or weights. */
import {
  clamp,
  classOfWeights,
  countWeightSteps,
  packTrits,
  rint,
  SpikeError,
  weightClasses,
} from '@spikellm/backend';
import {
  channelWeight,
  elementWeight,
  hostTensor,
  packElements,
  type TernarySettings,
} from '@spikellm/graph';
import type { FactoredHessian } from './factor.ts';
import type { CompensatedKind } from './kind.ts';
import type { WeightMethod } from './layer.ts';
import { WEIGHT_STEP_CHOICES, type GptqSettings } from './settings.ts';
import { sweepColumns, toRows, type ColumnQuantiser } from './sweep.ts';
import { ternaryRowBytes } from './ternary-size.ts';
import { ternaryScale } from './ternary-scale.ts';
import { chooseElements, chooseWeightSteps } from './weight-steps.ts';

/** Weights of as many steps, in one group of columns, that share a scale of each output. */
export interface TernaryClasses {
  /** T of each class, [W]. */
  readonly steps: readonly number[];
  /** The class of a weight. */
  readonly of: (output: number, channel: number) => number;
}

export interface TernaryQuantiser extends ColumnQuantiser {
  /** Sums of trits [C, O] in the order of the sweep. */
  readonly counts: Int8Array;
}

/**
 * Rounds weights of T steps to k D. Scales are those of an output and a class, found in the given weights before the sweep;
 * groups of columns are in the order of the channels, whatever the order of the sweep.
 *
 * @param scale - D [O, W]
 */
export function createTernaryQuantiser(
  O: number,
  { order }: FactoredHessian,
  { steps, of }: TernaryClasses,
  scale: Float32Array,
): TernaryQuantiser {
  const counts = new Int8Array(order.length * O);
  return {
    block: 1,
    counts,
    column(n, values, quantised) {
      for (let o = 0; o < O; o++) {
        const own = of(o, order[n]);
        const T = steps[own];
        const D = scale[o * steps.length + own];
        const k = clamp(rint(values[o] / D), -T, T);
        counts[n * O + o] = k;
        quantised[o] = k * D;
      }
    },
  };
}

/** Classes of weights whose channels have steps, rising steps first, then groups. @param steps - [C] */
export function channelClasses(steps: Uint8Array, group: number | undefined): TernaryClasses {
  const channels = countWeightSteps(steps, 'weightGroup', { group });
  const classes = classOfWeights(steps, channels, 1);
  return { steps: weightClasses(channels).map((own) => own.steps), of: (_, channel) => classes[channel] };
}

/** Classes of weights that have steps of their own: the groups of those with few, then of those with more. */
function elementClasses(
  salient: Uint8Array,
  C: number,
  { weightGroup = C, weightSteps, salientSteps }: GptqSettings,
): TernaryClasses {
  const groups = Math.ceil(C / weightGroup);
  return {
    steps: [weightSteps, salientSteps].flatMap((T) => Array<number>(groups).fill(T)),
    of: (output, channel) => salient[output * C + channel] * groups + Math.floor(channel / weightGroup),
  };
}

/**
 * The scales of each output and class, [O, W]; 1 for a class without weights.
 *
 * @param weights - [O, C]; dead channels have no say
 */
export function classScales(
  weights: Float32Array,
  { steps, of }: TernaryClasses,
  dead: Uint8Array,
): Float32Array {
  const C = dead.length;
  const O = weights.length / C;
  const scale = new Float32Array(O * steps.length);
  const sorted = new Float32Array(C);
  for (let o = 0; o < O; o++) {
    const counts = new Int32Array(steps.length);
    for (let c = 0; c < C; c++) if (!dead[c]) counts[of(o, c)] += 1;
    const next = new Int32Array(steps.length);
    for (let w = 1; w < steps.length; w++) next[w] = next[w - 1] + counts[w - 1];
    for (let c = 0; c < C; c++) if (!dead[c]) sorted[next[of(o, c)]++] = weights[o * C + c];
    for (const [w, T] of steps.entries()) {
      scale[o * steps.length + w] = ternaryScale(sorted.subarray(next[w] - counts[w], next[w]), T);
    }
  }
  return scale;
}

export const ternaryMethod =
  (settings: GptqSettings): WeightMethod =>
  async (backend, weight, hessian) => {
    const { weightGroup: group, weightUnit, weightSteps, salientSteps } = settings;
    const C = hessian.order.length;
    const O = weight.length / C;
    /** Rounds all weights: k [O, C], scales and the error of the sweep. */
    const swept = async (classes: TernaryClasses) => {
      const scale = classScales(weight, classes, hessian.dead);
      const quantiser = createTernaryQuantiser(O, hessian, classes, scale);
      const { error } = await sweepColumns(backend, weight, hessian, quantiser);
      const tensor = hostTensor('float32', scale, [O, scale.length / O]);
      return { k: toRows(quantiser.counts, hessian.order), scale: tensor, error };
    };
    const format = ternarySettings(settings);
    if (weightUnit === 'element') {
      const map = chooseElements(weight, hessian, settings);
      const { k, scale, error } = await swept(elementClasses(map, C, settings));
      const { salient, trits } = packElements(k, map, O, [weightSteps, salientSteps]);
      const packed = {
        salient: hostTensor('uint8', salient, [O, salient.length / O]),
        trits: hostTensor('uint8', trits),
        scale,
      };
      return { weight: elementWeight(format, C, packed), error };
    }
    const steps = chooseWeightSteps(weight, hessian, settings);
    const { k, scale, error } = await swept(channelClasses(steps, group));
    const trits = packTrits(k, O, steps);
    const packed = {
      steps: hostTensor('uint8', steps),
      trits: hostTensor('uint8', trits, [O, trits.length / O]),
      scale,
    };
    return { weight: channelWeight(format, packed), error };
  };

/** The format of the weights that these settings make. */
export function ternarySettings({
  meanSteps,
  weightSteps,
  salientSteps,
  weightGroup,
  weightUnit,
}: GptqSettings): TernarySettings {
  const steps = meanSteps === undefined ? [weightSteps, salientSteps] : WEIGHT_STEP_CHOICES;
  return {
    kind: 'ternary',
    steps: [...new Set(steps)].toSorted((a, b) => a - b),
    ...(weightGroup !== undefined && { group: weightGroup }),
    ...(weightUnit === 'element' && { unit: weightUnit }),
  };
}

export const ternaryKind: CompensatedKind = {
  settings: ternarySettings,
  method: (_, own) => ternaryMethod(own),
  check({ meanSteps, weightUnit, weightSteps, salientSteps }) {
    if (weightUnit !== 'element') return;
    const refuse = (where: string, expected: string, received: number, remedy: string): never => {
      throw new SpikeError('INVALID_ARGUMENT', { where, expected, received: String(received), remedy });
    };
    if (meanSteps !== undefined) {
      const remedy = 'say with salientWeights how many weights have salientSteps';
      refuse('meanSteps', 'none where single weights are the unit', meanSteps, remedy);
    }
    if (salientSteps <= weightSteps) {
      const expected = `more than the ${weightSteps} of other weights, where single weights are the unit`;
      refuse('salientSteps', expected, salientSteps, 'take more, or channels as the unit');
    }
  },
  rowBytes: ternaryRowBytes,
};
