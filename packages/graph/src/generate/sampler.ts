import { SpikeError } from '@spikellm/backend';
import { createRandom } from './random.ts';

export interface SamplingOptions {
  /** 0, the default, takes the likeliest token. */
  readonly temperature?: number;
  /** Only the k likeliest tokens. */
  readonly topK?: number;
  /** Only the likeliest tokens whose probabilities add up to p. */
  readonly topP?: number;
  /** A whole number from 0 to 2^32 - 1; the same seed draws the same text. */
  readonly seed?: number;
}

function must(holds: boolean, name: string, expected: string, received: unknown): void {
  if (holds) return;
  throw new SpikeError('INVALID_ARGUMENT', { where: name, expected, received: String(received) });
}

/** A function from logits [V] to a token id. Errors: INVALID_ARGUMENT for an option outside its domain. */
export function createSampler({
  temperature = 0,
  topK,
  topP,
  seed = 0,
}: SamplingOptions): (logits: Float32Array) => number {
  must(Number.isFinite(temperature) && temperature >= 0, 'temperature', 'a number of 0 or more', temperature);
  must(topK === undefined || (Number.isInteger(topK) && topK > 0), 'top-k', 'a whole number above 0', topK);
  must(topP === undefined || (topP > 0 && topP <= 1), 'top-p', 'a number above 0 and at most 1', topP);
  must(
    Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32,
    'seed',
    'a whole number from 0 to 2^32 - 1',
    seed,
  );
  if (temperature === 0) return likeliest;
  const random = createRandom(seed);
  return (logits) => {
    const ranked = Uint32Array.from(logits, (_, id) => id).toSorted((a, b) => logits[b] - logits[a] || a - b);
    const kept = ranked.subarray(0, topK);
    const weights = Float64Array.from(kept, (id) => Math.exp((logits[id] - logits[kept[0]]) / temperature));
    const nucleus = nucleusSize(weights, topP);
    let left = random.real() * sum(weights, nucleus);
    for (let i = 0; i < nucleus - 1; i++) {
      left -= weights[i];
      if (left < 0) return kept[i];
    }
    return kept[nucleus - 1];
  };
}

const sum = (weights: Float64Array, count: number): number =>
  weights.subarray(0, count).reduce((a, b) => a + b, 0);

/** How many of the falling weights it takes to reach the share p. */
function nucleusSize(weights: Float64Array, p: number | undefined): number {
  if (p === undefined) return weights.length;
  const wanted = p * sum(weights, weights.length);
  let reached = 0;
  for (let i = 0; i < weights.length; i++) {
    reached += weights[i];
    if (reached >= wanted) return i + 1;
  }
  return weights.length;
}

/** The first of the largest logits. */
function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}
