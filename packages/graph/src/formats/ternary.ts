/** Weights as spikes of ternary neurons: their tensors in a checkpoint, and how they run. */
import {
  checkTrits,
  countWeightSteps,
  MAX_WEIGHT_STEPS,
  SpikeError,
  tritBytes,
  unpackTrits,
  weightClasses,
  type HostTensor,
} from '@spikellm/backend';
import * as v from 'valibot';
import { hostTensor } from '../host-tensor.ts';
import { record } from '../record.ts';
import { checkTensor, readIntegers, readScale, type TensorSource } from '../tensors.ts';
import type { FormatKind, Weight, WeightFormat, WeightRows } from './format.ts';
import {
  eachRow,
  elementBytes,
  elementsAsParts,
  salientElements,
  type ElementSteps,
} from './ternary-elements.ts';

export interface TernarySettings {
  readonly kind: 'ternary';
  /** Steps that weights may have, rising, such as [1, 3]. */
  readonly steps: readonly number[];
  /** Columns that share their scales: group g holds the channels [g group, (g + 1) group); absent: all columns. */
  readonly group?: number | undefined;
  /** What has steps of its own: an input channel where it is absent, or each single weight, then of two numbers of steps. */
  readonly unit?: 'element' | undefined;
}

/** Ternary weights: w[o,c] = scale[o,w] times the sum of the T trits of channel c, w the class of its T and its group. */
export interface ChannelTrits {
  /** T of each channel, uint8 [C]. */
  readonly steps: HostTensor;
  /** uint8 [O, bytes of a row], see `packTrits`. */
  readonly trits: HostTensor;
  /** float32 [O, W]: a column for each pair of T and group that occurs, T rising, then groups. */
  readonly scale: HostTensor;
}

/** Ternary weights of which single ones have more steps. */
export interface ElementTrits {
  /** Which weights are salient, uint8 [O, ceil(C / 8)]; see `PackedElements`. */
  readonly salient: HostTensor;
  /** uint8 [bytes], see `PackedElements`. */
  readonly trits: HostTensor;
  /** float32 [O, 2 groups]: a column for each group of the weights with few steps, then for each of the salient ones. */
  readonly scale: HostTensor;
}

const namesOf = (prefix: string) => ({
  steps: `${prefix}.weight_steps`,
  salient: `${prefix}.weight_salient`,
  trits: `${prefix}.weight_trits`,
  scale: `${prefix}.weight_scale`,
});

export function ternaryFormat(settings: TernarySettings): WeightFormat {
  const { steps, group, unit } = settings;
  const elements = unit === 'element';
  const each = steps.length > 1 ? ` ${elements ? 'a weight' : 'a channel'}` : '';
  const scales = group === undefined ? '' : `, scales for groups of ${group} columns`;
  const namesOfUnit = (prefix: string): string[] => {
    const { salient, steps: list, trits, scale } = namesOf(prefix);
    return [elements ? salient : list, trits, scale];
  };
  return {
    kind: 'ternary',
    title: `ternary weights of ${steps.join(' or ')} steps${each}${scales}`,
    productBits: 2,
    names: namesOfUnit,
    async read(source, rows, signal) {
      const names = namesOf(rows.prefix);
      const found = await readWeightSteps(source, rows, settings, signal);
      const trits = await readIntegers(source, names.trits, 'uint8', found.trits, signal);
      checkTrits(trits.data as Uint8Array, names.trits);
      const scale = await readScale(source, names.scale, found.scale, signal);
      return elements
        ? elementWeight(settings, rows.inputs, { salient: found.tensor, trits, scale })
        : channelWeight(settings, { steps: found.tensor, trits, scale });
    },
    async describe(source, rows, signal) {
      const names = namesOf(rows.prefix);
      const { name, tensor, trits, scale, means } = await readWeightSteps(source, rows, settings, signal);
      const tensors: [string, readonly number[]][] = [
        [name, tensor.dims],
        [names.trits, trits],
        [names.scale, scale],
      ];
      for (const [stored, shape] of tensors) checkTensor(source, stored, shape);
      return { tensors, steps: means };
    },
  };
}

/** What says how many steps each weight has, and what follows from it. */
interface WeightSteps {
  /** T of each channel, uint8 [C], or the map of salient weights, uint8 [O, ceil(C / 8)]; with its name. */
  readonly name: string;
  readonly tensor: HostTensor;
  readonly trits: readonly number[];
  readonly scale: readonly number[];
  /** Mean T of a channel's weights, [C]. */
  readonly means: Float64Array;
}

async function readWeightSteps(
  source: TensorSource,
  { prefix, inputs, outputs }: WeightRows,
  settings: TernarySettings,
  signal?: AbortSignal,
): Promise<WeightSteps> {
  const names = namesOf(prefix);
  if (settings.unit === 'element') {
    const shape = [outputs, Math.ceil(inputs / 8)];
    const tensor = await readIntegers(source, names.salient, 'uint8', shape, signal);
    const steps = elementSteps(settings);
    const map = salientElements(tensor.data as Uint8Array, outputs, inputs);
    const means = new Float64Array(inputs);
    map.forEach((bit, i) => (means[i % inputs] += steps[bit] / outputs));
    const salient = map.reduce((sum, bit) => sum + bit, 0);
    const groups = Math.ceil(inputs / (settings.group ?? inputs));
    return {
      name: names.salient,
      tensor,
      trits: [elementBytes(map.length, salient, steps)],
      scale: [outputs, 2 * groups],
      means,
    };
  }
  const tensor = await readIntegers(source, names.steps, 'uint8', [inputs], signal);
  const steps = tensor.data as Uint8Array;
  const wrong = steps.findIndex((T) => !settings.steps.includes(T));
  if (wrong >= 0) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: names.steps,
      expected: `steps among ${settings.steps.join(', ')}, as weights.steps of config.json has it`,
      received: `${steps[wrong]} at channel ${wrong}`,
    });
  }
  const channels = countWeightSteps(steps, names.steps, settings);
  return {
    name: names.steps,
    tensor,
    trits: [outputs, tritBytes(channels)],
    scale: [outputs, weightClasses(channels).length],
    means: Float64Array.from(steps),
  };
}

/** The two steps of a format whose unit is the element; its schema has seen to their number. */
const elementSteps = ({ steps: [few, more] }: TernarySettings): ElementSteps => [few, more];

/** Weights whose input channels have steps. */
export function channelWeight(settings: TernarySettings, { steps, trits, scale }: ChannelTrits): Weight {
  const C = steps.dims[0];
  const own = steps.data as Uint8Array;
  return ternaryWeight(settings, C, {
    tensors: (names) => [
      [names.steps, steps],
      [names.trits, trits],
      [names.scale, scale],
    ],
    parts: () => ({ steps, trits, scale }),
    means: () => Float64Array.from(own),
    rows: (use) => use(unpackTrits(trits.data as Uint8Array, scale.dims[0], own)),
  });
}

/** Weights of which single ones have more steps. @param C - input channels */
export function elementWeight(
  settings: TernarySettings,
  C: number,
  { salient, trits, scale }: ElementTrits,
): Weight {
  const [outputs] = scale.dims;
  const steps = elementSteps(settings);
  const packed = { salient: salient.data as Uint8Array, trits: trits.data as Uint8Array };
  return ternaryWeight(settings, C, {
    tensors: (names) => [
      [names.salient, salient],
      [names.trits, trits],
      [names.scale, scale],
    ],
    /** Each channel in both parts, with few steps and with more. */
    parts() {
      const parts = elementsAsParts(packed, outputs, C, steps);
      const both = new Uint8Array(2 * C).fill(steps[0], 0, C).fill(steps[1], C);
      return {
        steps: hostTensor('uint8', both, [2, C]),
        trits: hostTensor('uint8', parts, [outputs, parts.length / outputs]),
        scale,
      };
    },
    means() {
      const means = new Float64Array(C);
      const map = salientElements(packed.salient, outputs, C);
      map.forEach((bit, i) => (means[i % C] += steps[bit] / outputs));
      return means;
    },
    rows: (use) => eachRow(packed, outputs, C, steps, use),
  });
}

/** How a unit of steps differs from the other. */
interface Unit {
  tensors(names: ReturnType<typeof namesOf>): [string, HostTensor][];
  /** As kernels take them. */
  parts(): ChannelTrits;
  means(): Float64Array;
  /** Hands over sums of trits, rows of C one after the other. */
  rows(use: (k: Int8Array) => void): void;
}

function ternaryWeight(settings: TernarySettings, C: number, unit: Unit): Weight {
  const operands = (bias: HostTensor | undefined) => {
    const { steps, trits, scale } = unit.parts();
    const parts = steps.data.length / C;
    const channels = countWeightSteps(steps.data as Uint8Array, 'ternary weights', {
      group: settings.group,
      parts,
    });
    return {
      attributes: { weightChannels: channels, weightParts: parts },
      constants: {
        weightSteps: { type: steps.type, data: steps.data, dims: [parts, C] },
        weight: trits,
        weightScale: scale,
        bias,
      },
    };
  };
  return {
    format: ternaryFormat(settings),
    tensors: (prefix) => unit.tensors(namesOf(prefix)),
    onFloats(runner, bias) {
      const { attributes, constants } = operands(bias);
      const additive = runner.prepare('linear_ternary_f32', attributes, constants);
      return { run: (x) => runner.apply(additive, { x }).y };
    },
    onSpikes(runner, bias, { gif, steps }) {
      const { attributes, constants } = operands(bias);
      const additive = runner.prepare(
        'linear_ternary_codes_f32',
        { ...gif, ...attributes },
        { steps, ...constants },
      );
      return (input) => runner.apply(additive, { ...input }).y;
    },
    spikes() {
      const trits = new Float64Array(C);
      // A weight k is sign(k) in |k| of its steps.
      unit.rows((k) => k.forEach((value, i) => (trits[i % C] += Math.abs(value))));
      return { steps: unit.means(), trits };
    },
  };
}

const STEPS = `to be rising numbers from 1 to ${MAX_WEIGHT_STEPS}, such as [1, 3]`;
const TWO_STEPS = "to be two numbers where weights.unit is 'element'";
const GROUP = 'to be a whole number of columns, 1 or more, or no group';
const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

export const ternaryKind: FormatKind<TernarySettings> = {
  kind: 'ternary',
  schema: v.pipe(
    record({
      kind: v.literal('ternary'),
      steps: v.pipe(
        v.custom<readonly number[]>(Array.isArray, STEPS),
        v.check(
          (steps) =>
            steps.length > 0 &&
            steps.every((T, i) => isWhole(T, i === 0 ? 1 : steps[i - 1] + 1, MAX_WEIGHT_STEPS)),
          STEPS,
        ),
      ),
      group: v.optional(
        v.pipe(
          v.number(GROUP),
          v.check((group) => isWhole(group, 1, 2 ** 31 - 1), GROUP),
        ),
      ),
      unit: v.optional(v.literal('element', "'element' or none")),
    }),
    v.forward(
      v.check(({ steps, unit }) => unit !== 'element' || steps.length === 2, TWO_STEPS),
      ['steps'],
    ),
  ),
  create: ternaryFormat,
};
