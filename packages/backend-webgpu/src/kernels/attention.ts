/** Attention: what a call adds to its caches, then scores and what they weigh, some tokens at a time. */
import { SpikeError, type Dims } from '@spikellm/backend';
import type { Recorder } from '../recorder.ts';
import type { Shader } from '../shader.ts';
import {
  contextCodes,
  contextFloat,
  MOST_CHANNELS,
  scoresBlock,
  scoresFloat,
  scoresToken,
} from '../shaders/attention.ts';
import {
  appendCodes,
  appendRows,
  classesOfSteps,
  closeBlocks,
  roundKeys,
  roundQueries,
  roundValues,
} from '../shaders/cache.ts';
import { classMask, gifParams } from '../shaders/gif.ts';
import { columnDot, keySaliency } from '../shaders/statistics.ts';
import type { DeviceBuffer } from '../pool.ts';
import { floatWord, groupsOf, type Attributes, type Buffers, type KernelCall } from './call.ts';

/** Scores that are kept at a time: 64 MB. */
const MOST_SCORES = 2 ** 24;

/** One of the two steps: its shader, what it reads of the cache, and its own parameters. */
interface Step {
  readonly shader: Shader;
  readonly operands: Buffers;
  readonly params: readonly number[];
}

function attend(
  recorder: Recorder,
  q: DeviceBuffer | undefined,
  y: DeviceBuffer | undefined,
  { N, H, K, D, scale, window, softcap }: Dims,
  position: number,
  keys: Step,
  values: Step,
): void {
  if (D > MOST_CHANNELS) {
    throw new SpikeError('UNSUPPORTED', {
      where: 'backend-webgpu',
      expected: `heads of at most ${MOST_CHANNELS} channels`,
      received: String(D),
      remedy: 'choose another backend',
    });
  }
  const total = position + N;
  const most = Math.max(1, Math.floor(MOST_SCORES / (H * Math.max(1, total))));
  const scores = recorder.scratch(Math.min(N, most) * H * total);
  for (let first = 0; first < N; first += most) {
    const rows = Math.min(most, N - first) * H;
    const params = [H, K, D, position, total, first, window];
    recorder.run(keys.shader, {
      operands: { ...keys.operands, q, scores },
      params: [...params, floatWord(1 / scale), floatWord(softcap), ...keys.params],
      groups: rows * Math.ceil(total / keys.shader.lanes),
    });
    recorder.run(values.shader, {
      operands: { ...values.operands, scores, y },
      params: [...params, ...values.params],
      groups: rows,
    });
  }
}

const floatSteps = (keys: DeviceBuffer | undefined, values: DeviceBuffer | undefined): [Step, Step] => [
  { shader: scoresFloat, operands: { keys }, params: [] },
  { shader: contextFloat, operands: { values }, params: [] },
];
const codedStep = (
  shader: Shader,
  prefix: 'key' | 'value',
  operands: Buffers,
  { S }: Dims,
  attributes: Attributes,
): Step => ({
  shader,
  operands: { classes: operands.classes, ...cacheOf(operands, prefix) },
  params: [S, ...gifParams(attributes)],
});
const cacheOf = (operands: Buffers, prefix: 'key' | 'value') => ({
  codes: operands[`${prefix}Codes`],
  scale: operands[`${prefix}Scale`],
  zero: operands[`${prefix}Zero`],
});

/** Floats of `count` rows of `width`, those from `skipped` on, into a cache of `size` rows from row `at` on. */
function append(
  recorder: Recorder,
  rows: DeviceBuffer | undefined,
  cache: DeviceBuffer | undefined,
  width: number,
  { count, skipped = 0, at, size }: { count: number; skipped?: number; at: number; size: number },
): void {
  recorder.run(appendRows, {
    operands: { rows, cache },
    params: [count * width, skipped * width, at * width, size * width],
    groups: groupsOf(count * width, appendRows),
  });
}

function appendCoded(
  recorder: Recorder,
  operands: Buffers,
  prefix: 'key' | 'value',
  { N, K, D, S }: Dims,
  attributes: Attributes,
  position: number,
): void {
  recorder.run(appendCodes, {
    operands: {
      rows: operands[prefix === 'key' ? 'k' : 'v'],
      classes: operands.classes,
      ...cacheOf(operands, prefix),
    },
    params: [K, D, S, position, prefix === 'key' ? 0 : K * D, ...gifParams(attributes)],
    groups: N * K,
  });
}

function roundedQueries(
  recorder: Recorder,
  q: DeviceBuffer | undefined,
  { N, H, D }: Dims,
  attributes: Attributes,
): DeviceBuffer {
  const rounded = recorder.scratch(N * H * D);
  recorder.run(roundQueries, {
    operands: { x: q, rounded },
    params: [D, ...gifParams(attributes)],
    groups: N * H,
  });
  return rounded;
}

const packClasses =
  (channels: (dims: Dims) => number): NonNullable<KernelCall['pack']> =>
  (recorder, { keySteps, valueSteps }, dims, attributes) => {
    const count = channels(dims);
    const classes = recorder.keep(2 * count);
    recorder.run(classesOfSteps, {
      operands: { keySteps, valueSteps, classes },
      params: [count, classMask(attributes)],
      groups: groupsOf(count, classesOfSteps),
    });
    return { classes };
  };

/** The blocks of keys that a call fills, and its last rows, which stay open. */
function closeAndKeep(
  recorder: Recorder,
  operands: Buffers,
  { N, K, D }: Dims,
  attributes: Attributes,
  position: number,
): { readonly keepOpen: () => void } {
  const { block } = attributes;
  const width = K * D;
  const firstBlock = Math.floor(position / block);
  const endBlock = Math.floor((position + N) / block);
  const count = (endBlock - firstBlock) * width;
  const { k, openKeys, classes } = operands;
  recorder.run(closeBlocks, {
    operands: { k, openKeys, classes, ...cacheOf(operands, 'key') },
    params: [count, width, block, firstBlock, position, ...gifParams(attributes)],
    groups: groupsOf(count, closeBlocks),
  });
  const skipped = Math.max(0, endBlock * block - position);
  return {
    keepOpen: () =>
      append(recorder, k, openKeys, width, {
        count: N - skipped,
        skipped,
        at: (position + skipped) % block,
        size: block,
      }),
  };
}

export const attentionCalls = {
  attend_f32: {
    run(recorder, { q, k, v, keys, values, y }, dims, _, { position }) {
      const { N, K, D, P } = dims;
      append(recorder, k, keys, K * D, { count: N, at: position, size: P });
      append(recorder, v, values, K * D, { count: N, at: position, size: P });
      attend(recorder, q, y, dims, position, ...floatSteps(keys, values));
    },
  },
  attend_gif_token_f32: {
    pack: packClasses(({ K, D }) => K * D),
    run(recorder, operands, dims, attributes, { position }) {
      appendCoded(recorder, operands, 'key', dims, attributes, position);
      appendCoded(recorder, operands, 'value', dims, attributes, position);
      const q = roundedQueries(recorder, operands.q, dims, attributes);
      const keys = codedStep(scoresToken, 'key', operands, dims, attributes);
      const values = codedStep(contextCodes, 'value', operands, dims, attributes);
      attend(recorder, q, operands.y, dims, position, keys, values);
    },
  },
  attend_gif_block_f32: {
    pack: packClasses(({ K, D }) => K * D),
    run(recorder, operands, dims, attributes, { position }) {
      appendCoded(recorder, operands, 'value', dims, attributes, position);
      const { keepOpen } = closeAndKeep(recorder, operands, dims, attributes, position);
      const q = roundedQueries(recorder, operands.q, dims, attributes);
      const { k, openKeys } = operands;
      const keys = {
        shader: scoresBlock,
        operands: { k, openKeys, ...cacheOf(operands, 'key') },
        params: [attributes.block, ...gifParams(attributes)],
      };
      const values = codedStep(contextCodes, 'value', operands, dims, attributes);
      attend(recorder, q, operands.y, dims, position, keys, values);
      keepOpen();
    },
  },
  attend_gif_whole_f32: {
    pack: packClasses(({ H, D }) => H * D),
    run(recorder, { q, k, v, classes, y }, dims, attributes) {
      const { N, H, K, D } = dims;
      const [keys, values] = [recorder.scratch(N * H * D), recorder.scratch(N * H * D)];
      recorder.run(roundKeys, {
        operands: { x: k, classes, rounded: keys },
        params: [N, H, K, D, 0, ...gifParams(attributes)],
        groups: H * D,
      });
      recorder.run(roundValues, {
        operands: { x: v, classes, rounded: values },
        params: [D, H, K, D, H * D, ...gifParams(attributes)],
        groups: N * H,
      });
      const queries = roundedQueries(recorder, q, dims, attributes);
      attend(recorder, queries, y, { ...dims, K: H }, 0, ...floatSteps(keys, values));
    },
  },
  kv_saliency_f32: {
    run(recorder, { q, k, v, keyScore, valueScore }, dims) {
      const { N, H, K, D } = dims;
      recorder.run(keySaliency, { operands: { q, k, score: keyScore }, params: [N, H, K, D], groups: H * D });
      const context = recorder.scratch(N * H * D);
      attend(recorder, q, context, dims, 0, ...floatSteps(k, v));
      recorder.run(columnDot, {
        operands: { a: context, b: context, sum: valueScore },
        params: [H * D, N],
        groups: groupsOf(H * D, columnDot),
      });
    },
  },
} satisfies Record<string, KernelCall>;
