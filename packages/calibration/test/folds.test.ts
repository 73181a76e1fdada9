/** Equivalent scales folded into a float model leave its logits where they were. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend, type HostTensor } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { model as demoModel } from '@spikellm/demo-model';
import { sharedDirectory } from '@spikellm/golden';
import {
  createRandom,
  loadDecoder,
  parseDecoderConfig,
  readLayer,
  type DecoderConfig,
  type TensorSource,
} from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { applyScales, type EquivalentScales } from '../src/index.ts';

const shared = sharedDirectory();
const backend = createReferenceBackend();

/** Scales from 1/4 to 4, those of keys equal within rotary pairs. */
function randomScales(
  { hiddenSize, kvHeads, headSize }: DecoderConfig,
  seed: number,
): Required<EquivalentScales> {
  const random = createRandom(seed);
  const draw = (length: number) => Float64Array.from({ length }, () => 4 ** (random.real() * 2 - 1));
  const pairs = draw((kvHeads * headSize) / 2);
  const half = headSize / 2;
  return {
    qkv: draw(hiddenSize),
    gateUp: draw(hiddenSize),
    value: draw(kvHeads * headSize),
    key: Float64Array.from(
      { length: kvHeads * headSize },
      (_, i) => pairs[Math.floor(i / headSize) * half + (i % half)],
    ),
  };
}

/** The float model with other scales in every layer. */
async function scaled(source: TensorSource, config: DecoderConfig): Promise<TensorSource> {
  const changed = new Map<string, HostTensor>();
  for (let index = 0; index < config.layers; index++) {
    const weights = await readLayer(source, config, index);
    const folded = applyScales(weights, config, randomScales(config, index));
    changed.set(`model.layers.${index}.input_layernorm.weight`, folded.inputNorm);
    changed.set(`model.layers.${index}.post_attention_layernorm.weight`, folded.mlpNorm);
    for (const { entry, weight } of folded.linears)
      changed.set(`${entry.prefix}.weight`, weight as HostTensor);
  }
  return {
    info: (name) => source.info(name),
    read: async (name, options) => changed.get(name) ?? source.read(name, options),
  };
}

async function logits(
  config: Record<string, unknown>,
  tensors: TensorSource,
  ids: number[],
): Promise<Float32Array> {
  using decoder = await loadDecoder({ backend, config, tensors });
  using cache = decoder.createCache(ids.length);
  using result = decoder.forward(ids, cache, { logits: 'all' });
  return (await backend.read(result)).data as Float32Array;
}

const folders = {
  'stories260k (8 heads on 4)': shared && join(shared, 'models', 'stories260k'),
  'the demo model': dirname(fileURLToPath(demoModel.config)),
};

describe('equivalent scales', () => {
  it.for(Object.entries(folders))('%s: the logits stay within 1e-4', async ([, folder], { skip }) => {
    skip(folder === undefined, 'the folder of shared models is not there');
    await using model = await openModelFolder(folder!);
    const config = parseDecoderConfig(model.config);
    const random = createRandom(3);
    const ids = Array.from({ length: 24 }, () => random.integer(0, config.vocabularySize - 1));
    const before = await logits(model.config, model.tensors, ids);
    const after = await logits(model.config, await scaled(model.tensors, config), ids);
    const largest = before.reduce((most, value, i) => Math.max(most, Math.abs(value - after[i])), 0);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(1e-4);
  });

  it('key scales that differ within a rotary pair are refused, since RoPE mixes the pair', async () => {
    await using model = await openModelFolder(folders['the demo model']);
    const config = parseDecoderConfig(model.config);
    const key = randomScales(config, 0).key as Float64Array;
    key[1] *= 2;
    const weights = await readLayer(model.tensors, config, 0);
    expect(() => applyScales(weights, config, { key })).toThrow(
      /^key scales: expected one scale for the rotary pair of channels 1 and \d+, received/,
    );
  });
});
