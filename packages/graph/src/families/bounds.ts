import { SpikeError } from '@spikellm/backend';
import type { DecoderConfig } from '../model.ts';
import { CONFIG_FILE } from './fields.ts';

/** Far more than any model has: what is beyond is a broken config, and must not become the size of anything. */
const MOST = 2 ** 18;
const MOST_OF_A_HEAD = 2 ** 12;
const MOST_TOKENS = 2 ** 24;

/**
 * Holds the sizes of a config against what a model can have. Nothing is as large as its context: caches are as large as their
 * texts. Errors: INVALID_ARGUMENT.
 */
export function checkBounds({
  hiddenSize,
  intermediateSize,
  heads,
  headSize,
  vocabularySize,
}: DecoderConfig): void {
  const sizes: readonly [name: string, size: number, most: number][] = [
    ['hidden_size', hiddenSize, MOST],
    ['intermediate_size', intermediateSize, MOST],
    ['head_dim', headSize, MOST_OF_A_HEAD],
    ['num_attention_heads x head_dim', heads * headSize, MOST],
    ['vocab_size', vocabularySize, MOST_TOKENS],
  ];
  for (const [name, size, most] of sizes) {
    if (size <= most) continue;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: CONFIG_FILE,
      expected: `${name} to be at most ${most}`,
      received: String(size),
    });
  }
}
