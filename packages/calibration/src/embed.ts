import { createRunner, type Backend } from '@spikellm/backend';
import { hostTensor, inArena, loadEnd, type ModelGraph, type TensorSource } from '@spikellm/graph';
import type { ActivationStream } from './streams.ts';

export interface EmbedOptions {
  readonly graph: ModelGraph;
  readonly tensors: TensorSource;
  readonly backend: Backend;
  readonly windows: readonly (readonly number[])[];
}

/** Puts what enters the first layer, [length, hidden] of each window, into streams. */
export async function embedWindows(
  { graph, tensors, backend, windows }: EmbedOptions,
  ...streams: readonly ActivationStream[]
): Promise<void> {
  using runner = createRunner(backend);
  const arena = inArena(tensors);
  const embed = await loadEnd(runner, arena.tensors, graph.embed);
  arena.free();
  for (const [window, tokens] of windows.entries()) {
    using ids = backend.upload(hostTensor('int32', Int32Array.from(tokens)));
    for (const stream of streams)
      await stream.set(
        window,
        runner.scope(() => embed(ids)),
      );
  }
}
