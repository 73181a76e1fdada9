import type { DeviceTensor, HostTensor, Runner } from '@spikellm/backend';
import { prepareAttention, type KvSteps, type LayerCache, type PreparedAttention } from './cache.ts';
import type { DecoderConfig } from './config.ts';
import { readLinear, readSteps, type LinearWeights } from './linear.ts';
import {
  inputNormName,
  layerLinears,
  mlpNormName,
  readWeight,
  type LinearGroup,
  type TensorSource,
} from './registry.ts';
import type { SpikingConfig } from './spiking-config.ts';
import { prepareGateUp, prepareQkv, prepareResidual } from './stages.ts';

/** One decoder layer in host memory. */
export interface LayerWeights {
  readonly inputNorm: HostTensor;
  readonly mlpNorm: HostTensor;
  /** In the order of `layerLinears`. */
  readonly linears: readonly LinearWeights[];
  /** Present where the KV cache spikes. */
  readonly kvSteps?: KvSteps | undefined;
}

/**
 * Watches the forward pass. Tensors are alive only during the call; work dispatched on them then is safe.
 */
export interface Taps {
  /** x [N, C] that the linears of a group read. */
  linearInput?(layer: number, group: LinearGroup, x: DeviceTensor): void;
  /** q [N, H D] and k [N, K D] after RoPE, v [N, K D]. */
  attention?(layer: number, q: DeviceTensor, k: DeviceTensor, v: DeviceTensor): void;
}

/** Where in a text a call stands. */
export interface Place {
  readonly position: number;
  readonly rope: { readonly cos: DeviceTensor; readonly sin: DeviceTensor };
}

/** A decoder layer, ready to run. */
export interface DecoderLayer {
  readonly attention: PreparedAttention;
  /** Float weights on the device, by name of the linear; empty where weights are packed. */
  readonly weights: ReadonlyMap<string, DeviceTensor>;
  /** x [N, C] to the next layer's x [N, C]. Intermediate tensors belong to the caller's scope. */
  forward(x: DeviceTensor, cache: LayerCache, place: Place, taps?: Taps): DeviceTensor;
}

/** Prefixes of the salient lists of cached keys and values. */
export const kvPrefixes = (index: number) => ({
  keys: `model.layers.${index}.self_attn.key_cache`,
  values: `model.layers.${index}.self_attn.value_cache`,
});

/** Reads the weights of layer `index`. Errors: MISSING, SHAPE, NOT_FINITE. */
export async function readLayer(
  source: TensorSource,
  config: DecoderConfig,
  index: number,
  spiking?: SpikingConfig,
  signal?: AbortSignal,
): Promise<LayerWeights> {
  const norm = (name: string) => readWeight(source, name, [config.hiddenSize], signal);
  const linears: LinearWeights[] = [];
  for (const entry of layerLinears(config, index))
    linears.push(await readLinear(source, entry, spiking, signal));
  return {
    inputNorm: await norm(inputNormName(index)),
    mlpNorm: await norm(mlpNormName(index)),
    linears,
    kvSteps:
      spiking && spiking.kv.key !== 'float'
        ? await readKvSteps(source, config, index, spiking, signal)
        : undefined,
  };
}

async function readKvSteps(
  source: TensorSource,
  { heads, kvHeads, headSize }: DecoderConfig,
  index: number,
  { kv }: SpikingConfig,
  signal?: AbortSignal,
): Promise<KvSteps> {
  const channels = (kv.key === 'published' ? heads : kvHeads) * headSize;
  const prefixes = kvPrefixes(index);
  return {
    keys: await readSteps(source, prefixes.keys, channels, signal),
    values: await readSteps(source, prefixes.values, channels, signal),
  };
}

/** Uploads and packs a layer. The runner owns what is made; the host weights may be dropped. */
export function prepareLayer(
  runner: Runner,
  config: DecoderConfig,
  index: number,
  weights: LayerWeights,
  spiking?: SpikingConfig,
): DecoderLayer {
  const { heads: H, kvHeads: K, headSize: D, normEpsilon: eps } = config;
  const group = (name: LinearGroup) => weights.linears.filter(({ entry }) => entry.group === name);
  const norm = (weight: HostTensor) => ({ weight: runner.upload(weight), eps });
  const heads = { H, K, D };
  const qkv = prepareQkv(runner, group('qkv'), spiking, norm(weights.inputNorm), heads);
  const o = prepareResidual(runner, group('o')[0], spiking);
  const gateUp = prepareGateUp(runner, group('gate_up'), spiking, norm(weights.mlpNorm));
  const down = prepareResidual(runner, group('down')[0], spiking);
  const attention = prepareAttention(runner, config, spiking, weights.kvSteps);

  return {
    attention,
    weights: new Map([qkv, o, gateUp, down].flatMap(({ weights: all }) => [...all])),
    forward(x, cache, { position, rope }, taps) {
      const watch = (name: LinearGroup) =>
        taps?.linearInput && ((input: DeviceTensor) => taps.linearInput!(index, name, input));
      const [rawQ, rawK, v] = qkv.run(watch('qkv'), x);
      const q = runner.run('rope_f32', { x: rawQ, ...rope }, { H, D }, { position }).y;
      const k = runner.run('rope_f32', { x: rawK, ...rope }, { H: K, D }, { position }).y;
      taps?.attention?.(index, q, k, v);
      const context = attention.attend(q, k, v, cache, position);
      const middle = o.run(watch('o'), context, x);
      const hidden = gateUp.run(watch('gate_up'), middle);
      const rotated = config.downRotation ? runner.run('hadamard_f32', { x: hidden }).y : hidden;
      return down.run(watch('down'), rotated, middle);
    },
  };
}
