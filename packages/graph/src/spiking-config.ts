/** `quantization_config` of config.json, see docs/checkpoint.md. */
import { MOST_SPIKE_BITS, SpikeError, validate, type GifRange, type Schema } from '@spikellm/backend';
import * as v from 'valibot';
import { formatKind, type WeightSettings } from './formats/index.ts';
import { record } from './record.ts';

/** How cached keys are quantised; values and queries go with it, except in `float`. */
export const KEY_QUANTISERS = ['block', 'token', 'whole', 'float'] as const;
export type KeyQuantiser = (typeof KEY_QUANTISERS)[number];

/** Bits of an activation that is left in float. */
export const FLOAT_BITS = 16;
export { MOST_SPIKE_BITS };

/**
 * What makes a decoder spike. The per-channel facts (codes, scales, salient channels and their steps) are tensors beside the
 * weights.
 */
export interface SpikingConfig {
  readonly quant_method: 'spikellm';
  /** 2 where config.json has a `down_rotation`, which readers of version 1 would leave out. */
  readonly format_version: 1 | 2;
  readonly pipeline: string;
  readonly weights: WeightSettings;
  /** Bits of the codes of embedding and head; absent where they are in float. */
  readonly embeddings?: { readonly bits: number };
  readonly activations: {
    /** Bits of one spike; 16 leaves activations in float. */
    readonly bits: number;
    /** Spike steps of a salient channel; 1 when no channel is salient. */
    readonly steps: number;
    readonly range: GifRange;
    /** Name of the metric that chose the steps; `none` where no channel is salient. */
    readonly saliency: string;
    readonly salient_fraction: number;
    /** `shared`: one set of salient channels for q, k, v and one for gate, up. `own`: one for each linear. */
    readonly mask: 'shared' | 'own';
    /** What a budget gave steps to. */
    readonly granularity?: 'channel' | 'linear';
  };
  readonly kv: {
    readonly key: KeyQuantiser;
    readonly bits: number;
    readonly steps: number;
    /** Tokens in a block of `key: 'block'`. */
    readonly block: number;
  };
}

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const whole = (least: number, most: number, expected: string) =>
  v.pipe(
    v.custom<number>((value) => typeof value === 'number', expected),
    v.check((value) => isWhole(value, least, most), expected),
  );
const SPIKE_BITS = `from 1 to ${MOST_SPIKE_BITS}, or ${FLOAT_BITS}`;
const spikeBits = v.pipe(
  v.custom<number>((value) => typeof value === 'number', SPIKE_BITS),
  v.check((value) => isWhole(value, 1, MOST_SPIKE_BITS) || value === FLOAT_BITS, SPIKE_BITS),
);
const STEPS = [1, 2, 4, 8, 16];

const schema = record({
  embeddings: v.optional(record({ bits: whole(1, 8, 'from 1 to 8, or no embeddings') })),
  activations: record({
    bits: spikeBits,
    steps: v.picklist(STEPS, `among ${STEPS.join(', ')}`),
    range: v.picklist(['lossless', 'saturating'], "'lossless' or 'saturating'"),
    saliency: v.optional(v.string('to be the name of a metric'), 'none'),
  }),
  kv: record({
    key: v.picklist(KEY_QUANTISERS, `among ${KEY_QUANTISERS.join(', ')}`),
    bits: spikeBits,
    block: whole(1, 2 ** 20, 'to be a whole number of tokens'),
  }),
});

/**
 * Reads `quantization_config`, or undefined where there is none.
 * Errors: UNSUPPORTED for another method or format version, INVALID_ARGUMENT for a field outside its domain.
 */
export function parseSpikingConfig(json: Readonly<Record<string, unknown>>): SpikingConfig | undefined {
  const found = json.quantization_config;
  if (found == null) return undefined;
  const config = modern(found as SpikingConfig);
  const where = 'config.json, quantization_config';
  const supported = (holds: boolean, expected: string, received: unknown): void => {
    if (holds) return;
    throw new SpikeError('UNSUPPORTED', { where, expected, received: JSON.stringify(received) ?? 'nothing' });
  };
  supported(config.quant_method === 'spikellm', "quant_method 'spikellm'", config.quant_method);
  const version = json.down_rotation == null ? 1 : 2;
  const expected = version === 1 ? 'format_version 1' : 'format_version 2, since there is a down_rotation';
  supported(config.format_version === version, expected, config.format_version);
  const check = (of: Schema<unknown>, value: unknown, prefix: string): void => {
    validate(of, value, (wrong) => ({
      where,
      expected: `${prefix}${wrong.field} ${wrong.expected}`,
      received: wrong.received,
    }));
  };
  const { weights } = config;
  check(formatKind(weights).schema, weights ?? {}, 'weights.');
  check(schema, config, '');
  return config;
}

/** Words of older checkpoints for what has another name now. */
const OLDER = {
  range: { published: 'saturating' },
  saliency: { published: 'obs' },
  key: { published: 'whole' },
} as const;

/** A config with the words of today. */
function modern(config: SpikingConfig): SpikingConfig {
  const { activations, kv } = config;
  const word = (names: Readonly<Record<string, string>>, value: string): never =>
    (Object.hasOwn(names, value) ? names[value] : value) as never;
  return {
    ...config,
    ...(activations && {
      activations: {
        ...activations,
        range: word(OLDER.range, activations.range),
        saliency: word(OLDER.saliency, activations.saliency),
      },
    }),
    ...(kv && { kv: { ...kv, key: word(OLDER.key, kv.key) } }),
  };
}

/** Whether this model can be run token by token. The published key quantiser sees a whole window at once. */
export const isCausal = (spiking: SpikingConfig | undefined): boolean => spiking?.kv.key !== 'whole';

/** Whether keys and values are cached as spikes. */
export const spikesInCache = (spiking: SpikingConfig | undefined): spiking is SpikingConfig =>
  spiking !== undefined && spiking.kv.key !== 'float' && spiking.kv.bits < FLOAT_BITS;
