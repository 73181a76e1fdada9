/** Spiking linear layers: spikes laid out as products read them, then the products. */
import { activations, type Dims } from '@spikellm/backend';
import type { DeviceBuffer } from '../pool.ts';
import type { Recorder } from '../recorder.ts';
import { encodeNormSpikes, encodeSpikes, gifDecode, gifEncode, stageCodes } from '../shaders/encode.ts';
import { classMask, gifParams } from '../shaders/gif.ts';
import { layoutWords, packOrder, unitsOf } from '../shaders/layout.ts';
import { linearCodesToken, linearCodesTokens } from '../shaders/linear-codes.ts';
import { epsWords } from '../shaders/norm.ts';
import { packRows, packWeights } from '../shaders/pack.ts';
import { gated } from '../shaders/elementwise.ts';
import { groupsOf, planesOf, type Attributes, type Buffers, type KernelCall } from './call.ts';

/** Up to this many tokens each goes over the weights by itself. */
const FEW_TOKENS = 4;

type Packer = Parameters<NonNullable<KernelCall['pack']>>[0];
/** Bits of a packed weight in memory. */
const fieldOf = (weightBits: number): number => (weightBits <= 2 ? 2 : weightBits <= 4 ? 4 : 8);

/** The layout of channels by their spike steps. */
export function packLayout(
  recorder: Packer,
  steps: DeviceBuffer | undefined,
  C: number,
  attributes: Attributes,
) {
  const G = attributes.classes.length;
  const segments = recorder.keep(layoutWords(C, G));
  recorder.run(packOrder, {
    operands: { steps, segments },
    params: [classMask(attributes), C, G, steps === undefined ? 0 : 1],
    groups: 1,
  });
  return segments;
}

/** How the spikes of one input are laid out in segments. */
export interface Arrangement {
  readonly C: number;
  readonly G: number;
  readonly W: number;
  /** Units of a row at most: the stride of rows. */
  readonly U: number;
}
const spikesAlone = (C: number, { classes }: Attributes): Arrangement => {
  const G = classes.length;
  return { C, G, W: 1, U: unitsOf(C, G) };
};
export const spikeWords = (N: number, { U }: Arrangement, planes: number): number => N * planes * U * 8;
export const headerWords = (N: number, { G, W }: Arrangement): number => N * (2 * (G / W) + G);

/** y [N, O] of spikes by packed weights. */
export function multiply(
  recorder: Recorder,
  operands: Buffers,
  { N, O }: Dims,
  { G, W, U }: Arrangement,
  FIELD: number,
  PLANES: number,
): void {
  const shared = [O, U, G, W, operands.addend === undefined ? 0 : 1];
  const few = N <= FEW_TOKENS;
  recorder.run(few ? linearCodesToken : linearCodesTokens, {
    // Cells for what 4 outputs have in the segments that are taken together: those of 5 classes, or 35.
    constants: few ? { FIELD, PLANES, CELLS: G <= 5 ? 40 : 280 } : { FIELD, PLANES },
    operands,
    params: few ? shared : [N, ...shared],
    groups: few ? N * Math.ceil(O / 4) : Math.ceil(N / 32) * Math.ceil(O / 64),
    overwrites: ['y'],
  });
}

/** Weights and rows of one linear, named with its prefix. */
function packLinear(
  recorder: Packer,
  segments: DeviceBuffer,
  constants: Buffers,
  prefix: string,
  { O, C }: Dims,
  { classes, weightBits }: Attributes,
) {
  const named = (name: string): DeviceBuffer | undefined =>
    constants[prefix === '' ? name : prefix + name[0].toUpperCase() + name.slice(1)];
  const G = classes.length;
  const U = unitsOf(C, G);
  const field = fieldOf(weightBits);
  const weights = recorder.keep(O * U * field);
  const rows = recorder.keep(O * (3 + G));
  const weight = named('weight');
  recorder.run(packWeights, {
    operands: { weight, segments, packed: weights },
    params: [O * U * field, U, G, field, C, weightBits],
    groups: groupsOf(O * U * field, packWeights),
    overwrites: ['packed'],
  });
  recorder.run(packRows, {
    operands: {
      weight,
      segments,
      packed: rows,
      weightScale: named('weightScale'),
      weightZero: named('weightZero'),
      bias: named('bias'),
    },
    params: [O, 1, G, named('bias') === undefined ? 0 : 1, C, weightBits],
    groups: groupsOf(O, packRows),
    overwrites: ['packed'],
  });
  return { [`${prefix}Weights`]: weights, [`${prefix}Rows`]: rows };
}

/** Runs the linear of that prefix. */
type Linear = (prefix: string, y: DeviceBuffer | undefined, addend?: DeviceBuffer) => void;

/** Linears on the spikes of one input x, after its norm where there is one. */
const gifLinears = (
  outputs: (dims: Dims) => Readonly<Record<string, number>>,
  hasNorm: boolean,
  after: (recorder: Recorder, operands: Buffers, dims: Dims, linear: Linear, attributes: Attributes) => void,
): KernelCall => ({
  pack(recorder, constants, dims, attributes) {
    const segments = packLayout(recorder, constants.steps, dims.C, attributes);
    const linears = Object.entries(outputs(dims)).map(([prefix, O]) =>
      packLinear(recorder, segments, constants, prefix, { ...dims, O }, attributes),
    );
    return Object.assign({ segments }, ...linears) as Record<string, DeviceBuffer>;
  },
  run(recorder, operands, dims, attributes) {
    const { N, C } = dims;
    const arrangement = spikesAlone(C, attributes);
    const { G, U } = arrangement;
    const planes = planesOf(attributes);
    const { segments } = operands;
    const spikes = recorder.scratch(spikeWords(N, arrangement, planes));
    const header = recorder.scratch(headerWords(N, arrangement));
    recorder.run(hasNorm ? encodeNormSpikes : encodeSpikes, {
      operands: { x: operands.x, weight: operands.norm, segments, spikes, header },
      params: [C, G, 1, U, ...(hasNorm ? epsWords(attributes.eps) : []), ...gifParams(attributes)],
      groups: N,
    });
    const sizes = outputs(dims);
    const linear: Linear = (prefix, y, addend) =>
      multiply(
        recorder,
        {
          spikes,
          header,
          segments,
          weights: operands[`${prefix}Weights`],
          rows: operands[`${prefix}Rows`],
          addend,
          y,
        },
        { N, O: sizes[prefix] },
        arrangement,
        fieldOf(attributes.weightBits),
        planes,
      );
    after(recorder, operands, dims, linear, attributes);
  },
});

export const spikingCalls = {
  gif_encode_f32: {
    pack: (recorder, { steps }, { C }, attributes) => ({
      segments: packLayout(recorder, steps, C, attributes),
    }),
    run: (recorder, operands, { N, C }, attributes) =>
      recorder.run(gifEncode, {
        operands,
        params: [C, attributes.classes.length, ...gifParams(attributes)],
        groups: N,
        overwrites: ['codes', 'scale', 'zero'],
      }),
  },
  gif_decode_f32: {
    pack: (recorder, { steps }, { C }, attributes) => ({
      segments: packLayout(recorder, steps, C, attributes),
    }),
    run: (recorder, operands, { N, C }, attributes) =>
      recorder.run(gifDecode, {
        operands,
        params: [N * C, C, attributes.classes.length, ...gifParams(attributes)],
        groups: groupsOf(N * C, gifDecode),
        overwrites: ['y'],
      }),
  },
  linear_codes_f32: {
    pack(recorder, constants, dims, attributes) {
      const segments = packLayout(recorder, constants.steps, dims.C, attributes);
      const { Weights: weights, Rows: rows } = packLinear(
        recorder,
        segments,
        constants,
        '',
        dims,
        attributes,
      );
      return { segments, weights, rows };
    },
    run(recorder, operands, dims, attributes) {
      const arrangement = spikesAlone(dims.C, attributes);
      const staged = stage(recorder, operands, dims, arrangement, attributes);
      multiply(recorder, staged, dims, arrangement, fieldOf(attributes.weightBits), planesOf(attributes));
    },
  },
  linear_gif_f32: gifLinears(
    ({ O }) => ({ '': O }),
    false,
    (_, { y, add }, __, linear) => linear('', y, add),
  ),
  qkv_gif_f32: gifLinears(
    ({ H, K, D }) => ({ q: H * D, k: K * D, v: K * D }),
    true,
    (_, { q, k, v }, __, linear) => {
      linear('q', q);
      linear('k', k);
      linear('v', v);
    },
  ),
  gate_up_gif_f32: gifLinears(
    ({ O }) => ({ gate: O, up: O }),
    true,
    (recorder, { y }, { N, O }, linear, { of }) => {
      const [gate, up] = [recorder.scratch(N * O), recorder.scratch(N * O)];
      linear('gate', gate);
      linear('up', up);
      recorder.run(gated, {
        operands: { gate, up, y },
        params: [N * O, activations.indexOf(of)],
        groups: groupsOf(N * O, gated),
        overwrites: ['y'],
      });
    },
  ),
} satisfies Record<string, KernelCall>;

/** Operands of `multiply` from codes as gif_encode_f32 writes them, in order of their places where `isGathered`. */
export function stage(
  recorder: Recorder,
  { codes, scale, zero, segments, ...rest }: Buffers,
  { N }: Dims,
  arrangement: Arrangement,
  attributes: Attributes,
  isGathered = true,
): Buffers {
  const { C, G, W, U } = arrangement;
  const spikes = recorder.scratch(spikeWords(N, arrangement, planesOf(attributes)));
  const header = recorder.scratch(headerWords(N, arrangement));
  recorder.run(stageCodes, {
    operands: { codes, scale, zero, segments, spikes, header },
    params: [C, G, W, U, isGathered ? 1 : 0, ...gifParams(attributes)],
    groups: N,
  });
  return { ...rest, segments, spikes, header };
}
