import { SpikeError } from '@spikellm/backend';
import type { KvCache } from '../attention/cache.ts';
import type { Decoder } from '../execute/decoder.ts';
import { isCausal } from '../spiking-config.ts';
import { createSampler, type SamplingOptions } from './sampler.ts';

export interface GenerateOptions extends SamplingOptions {
  /** Tokens to draw at most; the default is 2048, or the room left in the context where that is less. */
  readonly maxTokens?: number;
  /** Tokens that end the text; the default are those of config.json. */
  readonly endTokens?: readonly number[];
  readonly signal?: AbortSignal;
}

/** A context may be of millions of tokens, and a cache of all of them larger than memory. */
const MOST_BY_DEFAULT = 2048;

/** Turns ids into text as they come; `TextStream` of @spikellm/checkpoint is one. */
export interface Detokenizer {
  push(id: number): string;
  end(): string;
  /** Whether an id has a token; those that only fill up the table of weights are never drawn. */
  has?(id: number): boolean;
}

export interface TextOptions extends GenerateOptions {
  readonly detokenizer: Detokenizer;
  /** Texts that end the generation; they are not part of what comes out. */
  readonly stop?: readonly string[];
}

/**
 * Continues a prompt, one token id at a time. Leaving the loop frees the KV cache.
 * Errors: UNSUPPORTED for a model that is not causal, INVALID_ARGUMENT for the prompt or an option; rejects with the
 * signal's reason when aborted.
 *
 * @example
 * for await (const id of generateTokens(decoder, [1, 403], { maxTokens: 20 })) console.log(id);
 */
export function generateTokens(
  decoder: Decoder,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<number, void, void> {
  return drawTokens(decoder, prompt, options, []);
}

/** @param never - ids that are not drawn */
async function* drawTokens(
  decoder: Decoder,
  prompt: readonly number[],
  { maxTokens, endTokens = decoder.config.endTokens, signal, ...sampling }: GenerateOptions,
  never: readonly number[],
): AsyncGenerator<number, void, void> {
  const room = decoder.context - prompt.length;
  const most = Math.min(maxTokens ?? MOST_BY_DEFAULT, room);
  checkPrompt(decoder, prompt, maxTokens);
  const sample = createSampler(sampling);
  const cache = decoder.createCache(prompt.length + most);
  try {
    let next = prompt;
    for (let drawn = 0; drawn < most; drawn++) {
      signal?.throwIfAborted();
      const logits = await lastLogits(decoder, next, cache, signal);
      for (const id of never) logits[id] = -Infinity;
      const id = sample(logits);
      if (!Number.isFinite(logits[id])) {
        throw new SpikeError('NOT_FINITE', {
          where: 'generate',
          expected: 'finite logits',
          received: `${logits[id]} after ${prompt.length + drawn} tokens`,
          remedy: 'inspect the weights of the model',
        });
      }
      if (endTokens.includes(id)) return;
      yield id;
      next = [id];
    }
  } finally {
    cache.dispose();
  }
}

/**
 * Whether a model can continue a prompt, before it is loaded.
 * Errors: UNSUPPORTED for a model that is not causal, INVALID_ARGUMENT for the prompt or `maxTokens`.
 */
export function checkPrompt(
  { context, spiking }: Pick<Decoder, 'context' | 'spiking'>,
  prompt: readonly number[],
  maxTokens: number | undefined,
): void {
  if (!isCausal(spiking)) {
    throw new SpikeError('UNSUPPORTED', {
      where: 'generate',
      expected: 'a causal model, quantised with --kv block, token or float',
      received: "kv.key 'whole', whose key ranges see later tokens",
    });
  }
  if (prompt.length === 0 || prompt.length >= context) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'prompt',
      expected: `1 to ${context - 1} tokens, the context of the model less one`,
      received: String(prompt.length),
    });
  }
  if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens >= 1)) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'max-tokens',
      expected: 'a whole number above 0',
      received: String(maxTokens),
    });
  }
}

async function lastLogits(
  decoder: Decoder,
  ids: readonly number[],
  cache: KvCache,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  using logits = decoder.forward(ids, cache, { logits: 'last', signal });
  return (await decoder.backend.read(logits, { signal })).data as Float32Array;
}

/**
 * As `generateTokens`, as text: pieces that are certain, up to the first stop text.
 * Errors: as `generateTokens`, and INVALID_ARGUMENT for an empty stop text.
 */
export async function* generateText(
  decoder: Decoder,
  prompt: readonly number[],
  { detokenizer, stop = [], ...options }: TextOptions,
): AsyncGenerator<{ readonly id: number | undefined; readonly text: string }, void, void> {
  if (stop.includes('')) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'stop',
      expected: 'texts of one character or more',
      received: 'an empty one',
    });
  }
  let held = '';
  const { vocabularySize, endTokens } = decoder.config;
  const ends = options.endTokens ?? endTokens;
  const never = Array.from({ length: vocabularySize }, (_, id) => id).filter(
    (id) => detokenizer.has?.(id) === false && !ends.includes(id),
  );
  for await (const id of drawTokens(decoder, prompt, options, never)) {
    held += detokenizer.push(id);
    const cut = firstStop(held, stop);
    if (cut >= 0) {
      yield { id, text: held.slice(0, cut) };
      return;
    }
    const certain = held.length - heldBack(held, stop);
    yield { id, text: held.slice(0, certain) };
    held = held.slice(certain);
  }
  const rest = held + detokenizer.end();
  const cut = firstStop(rest, stop);
  if (rest !== '') yield { id: undefined, text: cut >= 0 ? rest.slice(0, cut) : rest };
}

function firstStop(text: string, stop: readonly string[]): number {
  const found = stop.map((s) => text.indexOf(s)).filter((at) => at >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

/** Length of the longest end of `text` that may be the beginning of a stop text. */
function heldBack(text: string, stop: readonly string[]): number {
  for (
    let length = Math.min(text.length, Math.max(0, ...stop.map((s) => s.length - 1)));
    length > 0;
    length--
  ) {
    if (stop.some((s) => s.startsWith(text.slice(-length)))) return length;
  }
  return 0;
}
