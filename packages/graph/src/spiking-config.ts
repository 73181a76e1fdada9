import { MAX_WEIGHT_STEPS, SpikeError, type GifRange } from '@spikellm/backend';

/** How cached keys are quantised; values and queries go with it, except in `float`. */
export const KEY_QUANTISERS = ['block', 'token', 'published', 'float'] as const;
export type KeyQuantiser = (typeof KEY_QUANTISERS)[number];

/** The saliency metric that chose the steps. */
export type SaliencyMetric = 'published' | 'random' | 'fisher' | 'none';

/** Bits of an activation that is left in float. */
export const FLOAT_BITS = 16;

/** Weights as whole-number codes of 1 to 8 bits with a scale and a zero point per row. */
export interface CodeFormat {
  readonly kind?: undefined;
  readonly bits: number;
  readonly symmetric: boolean;
}
/** Weights as spikes of ternary neurons. */
export interface TernaryFormat {
  readonly kind: 'ternary';
  /** Steps that weights may have, rising, such as [1, 3]. */
  readonly steps: readonly number[];
  /** Columns that share their scales: group g holds the channels [g group, (g + 1) group); absent: all columns. */
  readonly group?: number | undefined;
  /** What has steps of its own: an input channel where it is absent, or each single weight, then of two numbers of steps. */
  readonly unit?: 'element' | undefined;
}

/**
 * What makes a decoder spike: `quantization_config` of config.json, see docs/checkpoint.md.
 *
 * The per-channel facts (codes, scales, salient channels and their steps) are tensors beside the weights.
 */
export interface SpikingConfig {
  readonly quant_method: 'spikellm';
  /** 2 where config.json has a `down_rotation`, which readers of version 1 would leave out. */
  readonly format_version: 1 | 2;
  readonly pipeline: string;
  readonly weights: CodeFormat | TernaryFormat;
  /** Bits of the codes of embedding and head; absent where they are in float. */
  readonly embeddings?: { readonly bits: number };
  readonly activations: {
    /** Bits of one spike; 16 leaves activations in float. */
    readonly bits: number;
    /** Spike steps of a salient channel; 1 when no channel is salient. */
    readonly steps: number;
    readonly range: GifRange;
    readonly saliency: SaliencyMetric;
    readonly salient_fraction: number;
    /** `shared`: one set of salient channels for q, k, v and one for gate, up. `own`: one for each linear. */
    readonly mask: 'shared' | 'own';
    /** What `fisher` saliency gave steps to. */
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

/**
 * Reads `quantization_config`, or undefined where there is none.
 * Errors: UNSUPPORTED for another method or format version, INVALID_ARGUMENT for a field outside its domain.
 */
export function parseSpikingConfig(json: Readonly<Record<string, unknown>>): SpikingConfig | undefined {
  const found = json.quantization_config;
  if (found == null) return undefined;
  const config = found as SpikingConfig;
  const must = (
    holds: boolean,
    expected: string,
    received: unknown,
    code: 'UNSUPPORTED' | 'INVALID_ARGUMENT',
  ): void => {
    if (holds) return;
    throw new SpikeError(code, {
      where: 'config.json, quantization_config',
      expected,
      received: JSON.stringify(received) ?? 'nothing',
    });
  };
  const whole = (value: unknown, least: number, most: number): boolean =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
  const { activations, embeddings, kv, weights } = config;
  must(config.quant_method === 'spikellm', "quant_method 'spikellm'", config.quant_method, 'UNSUPPORTED');
  const version = json.down_rotation == null ? 1 : 2;
  const expected = version === 1 ? 'format_version 1' : 'format_version 2, since there is a down_rotation';
  must(config.format_version === version, expected, config.format_version, 'UNSUPPORTED');
  if (weights?.kind === undefined) {
    must(whole(weights?.bits, 1, 8), 'weights.bits from 1 to 8', weights?.bits, 'INVALID_ARGUMENT');
  } else {
    const { kind, steps, group, unit } = weights;
    must(kind === 'ternary', "weights.kind 'ternary' or none", kind, 'INVALID_ARGUMENT');
    must(
      Array.isArray(steps) &&
        steps.length > 0 &&
        steps.every((T, i) => whole(T, i === 0 ? 1 : steps[i - 1] + 1, MAX_WEIGHT_STEPS)),
      `weights.steps to be rising numbers from 1 to ${MAX_WEIGHT_STEPS}, such as [1, 3]`,
      steps,
      'INVALID_ARGUMENT',
    );
    must(
      group === undefined || whole(group, 1, 2 ** 31 - 1),
      'weights.group to be a whole number of columns, 1 or more, or no group',
      group,
      'INVALID_ARGUMENT',
    );
    must(
      unit === undefined || unit === 'element',
      "weights.unit 'element' or none",
      unit,
      'INVALID_ARGUMENT',
    );
    must(
      unit === undefined || steps.length === 2,
      "two weights.steps where weights.unit is 'element'",
      steps,
      'INVALID_ARGUMENT',
    );
  }
  must(
    embeddings === undefined || whole(embeddings?.bits, 1, 8),
    'embeddings.bits from 1 to 8, or no embeddings',
    embeddings,
    'INVALID_ARGUMENT',
  );
  const spikeBits = (value: unknown): boolean => whole(value, 1, 12) || value === FLOAT_BITS;
  const bitsRange = `from 1 to 12, or ${FLOAT_BITS}`;
  must(spikeBits(activations?.bits), `activations.bits ${bitsRange}`, activations?.bits, 'INVALID_ARGUMENT');
  must(
    [1, 2, 4, 8, 16].includes(activations.steps),
    'activations.steps among 1, 2, 4, 8, 16',
    activations.steps,
    'INVALID_ARGUMENT',
  );
  must(
    activations.range === 'lossless' || activations.range === 'published',
    "activations.range 'lossless' or 'published'",
    activations.range,
    'INVALID_ARGUMENT',
  );
  must(
    KEY_QUANTISERS.includes(kv?.key),
    `kv.key among ${KEY_QUANTISERS.join(', ')}`,
    kv?.key,
    'INVALID_ARGUMENT',
  );
  must(spikeBits(kv.bits), `kv.bits ${bitsRange}`, kv.bits, 'INVALID_ARGUMENT');
  must(whole(kv.block, 1, 2 ** 20), 'kv.block to be a whole number of tokens', kv.block, 'INVALID_ARGUMENT');
  return config;
}
