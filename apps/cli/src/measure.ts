import type { Backend } from '@spikellm/backend';
import type { ModelFolder } from '@spikellm/checkpoint';
import { perplexity, type Perplexity, type WindowOptions } from '@spikellm/evaluation';
import { openDecoder } from './model.ts';
import { showProgress } from './progress.ts';
import type { Session } from './session.ts';

/** Perplexity of a tokenised text, and the seconds it took without loading. */
export async function measure(
  session: Session,
  model: ModelFolder,
  backend: Backend,
  ids: readonly number[],
  windows: WindowOptions,
): Promise<Perplexity & { readonly seconds: number }> {
  using decoder = await openDecoder(session, model, backend);
  using progress = showProgress(session);
  const began = performance.now();
  const result = await perplexity(decoder, ids, {
    ...windows,
    signal: session.signal,
    onProgress: (done, total) => progress.update('evaluate', done, total),
  });
  return { ...result, seconds: secondsSince(began) };
}

/** Seconds since a `performance.now()`, to the millisecond. */
export const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;
