/** GPTQ over a model: layer after layer, on what the layers before it, quantised and spiking, hand over. */
import { lend, readLayer, type TensorSource } from '@spikellm/graph';
import { embedWindows } from '../embed.ts';
import { encodeLayer } from '../encode.ts';
import { runLayer } from '../layer-pass.ts';
import { needsScores, spikingConfig, type QuantizeSettings } from '../settings.ts';
import type { StepChooser } from '../steps.ts';
import { createStreams, type ActivationStream, type Spilling } from '../streams.ts';
import { watchLayer } from '../watch.ts';
import { runWrittenLayer, type WrittenLayerOptions } from '../written-layer.ts';
import { integerMethod } from './integer.ts';
import { quantizeLayer, type LinearLog, type WeightMethod } from './layer.ts';
import { ternaryMethod } from './ternary.ts';

/** How the linears of one layer came out. */
export interface GptqLog {
  readonly layer: number;
  readonly linears: readonly LinearLog[];
}

export interface GptqOptions extends WrittenLayerOptions {
  readonly tensors: TensorSource;
  readonly chooseSteps: StepChooser;
  readonly spilling: Spilling;
  /** Called after each linear. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Told what a user should know and nothing stops for. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** In the folder: how every linear came out. */
const LOG = 'gptq_log.json';

/**
 * Quantises every layer and writes it as a shard; layers that an earlier run wrote are only run. Memory holds one layer,
 * the Hessian of one input and the activations that spilling leaves there.
 *
 * Errors: those of `quantizeLayer`, `readLayer` and the writer.
 */
export async function gptqLayers(options: GptqOptions): Promise<void> {
  const { config, settings, writer, shardName, chooseSteps, signal } = options;
  const { quantised: stream } = await createStreams(options, ['quantised']);
  await using _ = stream;
  await embedWindows(options, stream);
  const log = ((await writer.readJson(LOG)) ?? []) as GptqLog[];
  for (let index = 0; index < config.layers; index++) {
    signal?.throwIfAborted();
    if (!writer.finished.has(shardName(index))) await writeLayer(options, index, stream, log);
    // Random scores are drawn again, so that later layers get theirs.
    else if (settings.saliency === 'random') chooseSteps(index, undefined);
    if (index + 1 < config.layers) await runWrittenLayer(options, index, stream);
  }
}

/** What quantises weights with these settings. */
export const weightMethod = ({ gptq, weightBits }: QuantizeSettings): WeightMethod =>
  gptq.weights === 'ternary' ? ternaryMethod(gptq) : integerMethod(weightBits);

async function writeLayer(
  options: GptqOptions,
  index: number,
  stream: ActivationStream,
  log: GptqLog[],
): Promise<void> {
  const { config, tensors, settings, writer, shardName, chooseSteps, signal, onProgress } = options;
  const lent = lend(tensors);
  const weights = await readLayer(lent.tensors, config, index, undefined, signal);
  const statistics = needsScores(settings)
    ? await runLayer(options, index, weights, { from: stream, watch: watchLayer })
    : undefined;
  const steps = chooseSteps(index, statistics);
  const linears: LinearLog[] = [];
  const count = weights.linears.length;
  const quantised = await quantizeLayer({
    ...options,
    gptq: settings.gptq,
    index,
    weights,
    steps,
    spiking: spikingConfig(settings),
    inputs: stream,
    method: weightMethod(settings),
    onLinear(linear) {
      linears.push(linear);
      onProgress?.(count * index + linears.length, count * config.layers);
    },
  });
  log.splice(index, Infinity, { layer: index, linears });
  await writer.writeJson(LOG, log);
  const encoded = await encodeLayer(index, quantised, steps, settings.weightBits, undefined, signal);
  await writer.writeShard(shardName(index), encoded);
  lent.free();
}
