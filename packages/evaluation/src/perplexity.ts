import { createRunner, SpikeError, type Runner } from '@spikellm/backend';
import { isCausal, type Decoder, type KvCache } from '@spikellm/graph';
import { cutWindows, type WindowOptions } from './windows.ts';

/** How every perplexity of this package is measured. */
export const PERPLEXITY_PROTOCOL =
  'token perplexity; windows do not overlap and the tail is dropped; each window starts without context and its ' +
  'first token is not predicted; exp of the mean negative log likelihood over windows * (window - 1) tokens';

export interface PerplexityOptions extends WindowOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Perplexity {
  /** exp(nll). */
  readonly perplexity: number;
  /** Mean negative log likelihood of a predicted token, in nats. */
  readonly nll: number;
  /** Tokens predicted. */
  readonly tokens: number;
  readonly windows: number;
  readonly window: number;
  readonly protocol: string;
}

/**
 * Perplexity of a text, see {@link PERPLEXITY_PROTOCOL}. The text is tokenised by the caller, once and as a whole.
 * Errors: INVALID_ARGUMENT (options, a text shorter than a window, a window longer than the context), NOT_FINITE;
 * rejects with the signal's reason when aborted.
 *
 * @param ids - token ids of the text
 * @example
 * const { perplexity: value } = await perplexity(decoder, ids, { window: 256, maxWindows: 64 });
 */
export async function perplexity(
  decoder: Decoder,
  ids: readonly number[],
  { signal, onProgress, ...options }: PerplexityOptions,
): Promise<Perplexity> {
  const windows = cutWindows(ids, options);
  const { window } = options;
  using runner = createRunner(decoder.backend);
  using cache = decoder.createCache(window);
  let sum = 0;
  for (const [index, tokens] of windows.entries()) {
    signal?.throwIfAborted();
    const losses = await windowLosses(decoder, runner, cache, tokens, signal);
    for (let n = 0; n < window - 1; n++) sum += losses[n];
    if (!Number.isFinite(sum)) {
      throw new SpikeError('NOT_FINITE', {
        where: 'perplexity',
        expected: 'finite logits',
        received: `NaN or infinity in window ${index + 1}`,
        remedy: 'inspect the weights of the model',
      });
    }
    onProgress?.(index + 1, windows.length);
  }
  const tokens = windows.length * (window - 1);
  const nll = sum / tokens;
  return {
    perplexity: Math.exp(nll),
    nll,
    tokens,
    windows: windows.length,
    window,
    protocol: PERPLEXITY_PROTOCOL,
  };
}

/**
 * Logits of a causal decoder that stand in memory at a time, at most: 256 MiB of them, where a vocabulary of 262,144 has 2 GiB
 * in a window of 2048.
 */
export const MOST_LOGITS = 2 ** 26;

/**
 * Negative log likelihoods [N] of the token after each; the last row has no token after it and is to be ignored. A window
 * with more logits than {@link MOST_LOGITS} is run in parts that go on from the cache, unless keys see later tokens.
 */
async function windowLosses(
  decoder: Decoder,
  runner: Runner,
  cache: KvCache,
  tokens: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const { config, spiking } = decoder;
  const length = isCausal(spiking)
    ? Math.max(1, Math.floor(MOST_LOGITS / config.vocabularySize))
    : tokens.length;
  const all = new Float32Array(tokens.length);
  cache.reset();
  for (let from = 0; from < tokens.length; from += length) {
    const part = tokens.slice(from, from + length);
    const next = Int32Array.from(part, (_, n) => tokens[from + n + 1] ?? 0);
    all.set(await partLosses(decoder, runner, cache, part, next, signal), from);
  }
  return all;
}

/** Those of tokens that follow what the cache holds, and are followed by `next`. */
async function partLosses(
  decoder: Decoder,
  runner: Runner,
  cache: KvCache,
  tokens: readonly number[],
  next: Int32Array,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const { backend } = decoder;
  using logits = decoder.forward(tokens, cache, { logits: 'all', signal });
  using targets = backend.upload({ type: 'int32', data: next, dims: [next.length] });
  using losses = backend.abortable(signal, () => runner.run('cross_entropy_f32', { logits, targets }).y);
  return (await backend.read(losses, { signal })).data as Float32Array;
}
