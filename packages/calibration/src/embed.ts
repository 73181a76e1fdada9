import { createRunner, type Backend } from '@spikellm/backend';
import {
  EMBEDDING,
  hostTensor,
  lend,
  readWeight,
  type DecoderConfig,
  type TensorSource,
} from '@spikellm/graph';
import type { ActivationStream } from './streams.ts';

export interface EmbedOptions {
  readonly config: DecoderConfig;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly windows: readonly (readonly number[])[];
}

/** Puts the embeddings [length, hidden] of all windows into a stream: what enters the first layer. */
export async function embedWindows(
  { config, tensors, backend, windows }: EmbedOptions,
  ...streams: readonly ActivationStream[]
): Promise<void> {
  using runner = createRunner(backend);
  const shape = [config.vocabularySize, config.hiddenSize];
  const lent = lend(tensors);
  const table = runner.upload(await readWeight(lent.tensors, EMBEDDING, shape));
  lent.free();
  for (const [window, tokens] of windows.entries()) {
    using ids = backend.upload(hostTensor('int32', Int32Array.from(tokens)));
    for (const stream of streams) await stream.set(window, runner.run('embedding_f32', { ids, table }).y);
  }
}
