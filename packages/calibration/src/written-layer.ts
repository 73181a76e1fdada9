import type { CheckpointWriter } from '@spikellm/checkpoint';
import { lend, readLayer } from '@spikellm/graph';
import { runLayer, type LayerPassOptions } from './layer-pass.ts';
import { spikingConfig, type QuantizeSettings } from './settings.ts';
import type { ActivationStream } from './streams.ts';

export interface WrittenLayerOptions extends LayerPassOptions {
  readonly settings: QuantizeSettings;
  readonly writer: CheckpointWriter;
  readonly shardName: (layer: number) => string;
}

/** Moves the activations of the quantised model through a layer that has been written. */
export async function runWrittenLayer(
  options: WrittenLayerOptions,
  index: number,
  stream: ActivationStream,
): Promise<void> {
  const { config, writer, shardName, settings } = options;
  const spiking = spikingConfig(settings);
  await using shard = await writer.openShard(shardName(index));
  const lent = lend(shard);
  const weights = await readLayer(lent.tensors, config, index, spiking);
  await runLayer(options, index, weights, { spiking, from: stream, to: stream });
  lent.free();
}
