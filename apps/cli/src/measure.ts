import type { Backend } from '@spikellm/backend';
import type { ModelFolder } from '@spikellm/checkpoint';
import {
  countOperations,
  perplexity,
  type OperationOptions,
  type OperationReport,
  type Perplexity,
  type WindowOptions,
} from '@spikellm/evaluation';
import type { Decoder } from '@spikellm/graph';
import { openDecoder } from './model.ts';
import { showProgress } from './progress.ts';
import type { Session } from './session.ts';

/** Perplexity of a tokenised text, and the seconds it took without loading. */
export type Measured = Perplexity & { readonly seconds: number };

export async function measure(
  session: Session,
  model: ModelFolder,
  backend: Backend,
  ids: readonly number[],
  windows: WindowOptions,
): Promise<Measured> {
  using decoder = await openDecoder(session, model, backend);
  return await measureDecoder(session, decoder, ids, windows);
}

/** As `measure`, for a decoder that is loaded. */
export async function measureDecoder(
  session: Session,
  decoder: Decoder,
  ids: readonly number[],
  windows: WindowOptions,
): Promise<Measured> {
  using progress = showProgress(session);
  const began = performance.now();
  const result = await perplexity(decoder, ids, {
    ...windows,
    signal: session.signal,
    onProgress: (done, total) => progress.update('evaluate', done, total),
  });
  return { ...result, seconds: secondsSince(began) };
}

/** The operations of a loaded decoder on a tokenised text. */
export async function countText(
  session: Session,
  { config, tensors }: ModelFolder,
  decoder: Decoder,
  ids: readonly number[],
  windows: WindowOptions & Pick<OperationOptions, 'standsFor'>,
): Promise<OperationReport> {
  using progress = showProgress(session);
  return await countOperations(decoder, ids, {
    ...windows,
    config,
    tensors,
    signal: session.signal,
    onProgress: (done, total) => progress.update('count', done, total),
  });
}

/** Seconds since a `performance.now()`, to the millisecond. */
export const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;
