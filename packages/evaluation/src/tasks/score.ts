/** Log-likelihoods of continuations, with what their texts have in common run once. */
import { createRunner, SpikeError, type DeviceTensor, type Runner } from '@spikellm/backend';
import { isCausal, type Decoder, type KvCache } from '@spikellm/graph';
import type { Sequence } from './encode.ts';

/** The log-likelihood of a continuation, and whether each of its tokens is the likeliest. */
export interface SequenceScore {
  readonly logLikelihood: number;
  readonly greedy: boolean;
}

/** Scores sequences of up to so many positions. */
export interface Scorer extends Disposable {
  /**
   * Scores of sequences, in their order. One whose beginning is that of an earlier one goes on from there.
   * Errors: NOT_FINITE; rejects with the signal's reason when aborted.
   */
  score(sequences: readonly Sequence[], signal?: AbortSignal): Promise<SequenceScore[]>;
}

/** A sequence while it is scored. Position p predicts token p + 1. */
interface Pending extends Sequence {
  /** The first position whose prediction is still to be looked at. */
  next: number;
  logLikelihood: number;
  greedy: boolean;
}

/** Predictions at positions of a text that is run, as far as a sequence shares it. */
interface Reader {
  readonly sequence: Pending;
  /** Up to which position they are its own too. */
  readonly end: number;
}

/** @param capacity - positions of the longest sequence, its last token aside */
export function createScorer(decoder: Decoder, capacity: number): Scorer {
  const runner = createRunner(decoder.backend);
  const cache = decoder.createCache(capacity);
  const dispose = (): void => {
    cache.dispose();
    runner.dispose();
  };
  return {
    async score(sequences, signal) {
      const pending = sequences.map(({ tokens, context }): Pending => ({
        tokens,
        context,
        next: context - 1,
        logLikelihood: 0,
        greedy: true,
      }));
      cache.reset();
      let held: readonly number[] = [];
      for (const sequence of pending) {
        const text = sequence.tokens.slice(0, -1);
        if (sequence.next >= text.length) continue; // all of it is the beginning of an earlier one
        // Keys that see later tokens are those of one text only.
        const alone = !isCausal(decoder.spiking);
        const readers = (alone ? [sequence] : pending)
          .map((each): Reader => ({ sequence: each, end: commonLength(text, each.tokens.slice(0, -1)) }))
          .filter(({ sequence: { next }, end }) => next < end);
        const from = cache.rewind(alone ? 0 : Math.min(commonLength(text, held), sequence.next));
        await read(decoder, runner, { text, cache, from, readers }, signal);
        held = text;
      }
      return pending.map(({ logLikelihood, greedy }) => ({ logLikelihood, greedy }));
    },
    [Symbol.dispose]: dispose,
  };
}

interface Run {
  readonly text: readonly number[];
  readonly cache: KvCache;
  /** Tokens of the text that the cache holds. */
  readonly from: number;
  readonly readers: readonly Reader[];
}

/** Runs the rest of a text, and moves its readers on to where they part from it. */
async function read(
  decoder: Decoder,
  runner: Runner,
  { text, cache, from, readers }: Run,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { backend } = decoder;
  const first = Math.min(...readers.map(({ sequence }) => sequence.next));
  using logits = decoder.forward(text.slice(from), cache, { logits: text.length - first, signal });
  const wanted = readers.flatMap(({ sequence, end }) =>
    Array.from({ length: end - sequence.next }, (_, i) => {
      const position = sequence.next + i;
      return { sequence, row: position - first, target: sequence.tokens[position + 1] };
    }),
  );
  const upload = (data: number[]): DeviceTensor =>
    backend.upload({ type: 'int32', data: Int32Array.from(data), dims: [data.length] });
  using rows = upload(wanted.map(({ row }) => row));
  using targets = upload(wanted.map(({ target }) => target));
  using losses = backend.abortable(signal, () =>
    runner.scope(() => {
      const gathered = runner.run('embedding_f32', { ids: rows, table: logits }).y;
      return runner.run('cross_entropy_f32', { logits: gathered, targets }).y;
    }),
  );
  const found = (await backend.read(losses, { signal })).data as Float32Array;
  const likeliest = likeliestTokens((await backend.read(logits, { signal })).data as Float32Array, logits);
  for (const [i, { sequence, row, target }] of wanted.entries()) {
    if (!Number.isFinite(found[i])) throw notFinite(found[i]);
    sequence.logLikelihood -= found[i];
    sequence.greedy &&= likeliest(row) === target;
    sequence.next++;
  }
}

/** The first of the largest logits of a row, looked for when asked. */
function likeliestTokens(logits: Float32Array, { dims: [, size] }: DeviceTensor): (row: number) => number {
  return (row) => {
    const start = row * size;
    let best = start;
    for (let at = start + 1; at < start + size; at++) if (logits[at] > logits[best]) best = at;
    return best - start;
  };
}

/** Tokens that two texts begin with alike. */
function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

const notFinite = (received: number): SpikeError =>
  new SpikeError('NOT_FINITE', {
    where: 'task',
    expected: 'finite logits',
    received: String(received),
    remedy: 'inspect the weights of the model',
  });
