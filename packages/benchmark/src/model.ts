import { generateTokens, type Decoder } from '@spikellm/graph';
import { spreadOfRounds, type Spread } from './spread.ts';

export interface ModelOptions {
  /** Tokens of the prompt that is timed. */
  readonly promptTokens: number;
  /** Tokens that are decoded one by one after a short prompt. */
  readonly decodeTokens: number;
  readonly rounds: number;
  readonly signal?: AbortSignal;
}

/** Tokens per second. */
export interface ModelRates {
  readonly prompt: Spread;
  readonly decode: Spread;
}

/** What decoding begins with. */
const SHORT_PROMPT = 8;

/** Ids without a meaning, spread over the vocabulary. */
const idsOf = ({ config }: Decoder, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (1 + i * 7919) % config.vocabularySize);

/** Seconds at which each of `tokens` greedy tokens comes, the beginning of the prompt being 0. */
async function tokenTimes(
  decoder: Decoder,
  promptTokens: number,
  tokens: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const times: number[] = [];
  const began = performance.now();
  const options = { maxTokens: tokens, endTokens: [], ...(signal && { signal }) };
  for await (const _ of generateTokens(decoder, idsOf(decoder, promptTokens), options)) {
    times.push((performance.now() - began) / 1000);
  }
  return times;
}

/** Prompt tokens per second up to the first token of the answer, in one generation. */
export async function promptRate(
  decoder: Decoder,
  promptTokens: number,
  signal?: AbortSignal,
): Promise<number> {
  const [first] = await tokenTimes(decoder, promptTokens, 1, signal);
  return promptTokens / first;
}

/** Tokens per second that come one by one after a prompt of 8 tokens, in one generation. */
export async function decodeRate(decoder: Decoder, tokens: number, signal?: AbortSignal): Promise<number> {
  const times = await tokenTimes(decoder, SHORT_PROMPT, tokens + 1, signal);
  return tokens / (times[tokens] - times[0]);
}

/** Speed of a decoder as generation sees it: sampling and the way back to the event loop are part of it. */
export async function benchmarkModel(
  decoder: Decoder,
  { promptTokens, decodeTokens, rounds, signal }: ModelOptions,
): Promise<ModelRates> {
  return {
    prompt: await spreadOfRounds(rounds, () => promptRate(decoder, promptTokens, signal), signal),
    decode: await spreadOfRounds(rounds, () => decodeRate(decoder, decodeTokens, signal), signal),
  };
}
