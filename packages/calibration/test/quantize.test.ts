import { access, cp, open } from 'node:fs/promises';
import { join } from 'node:path';
import { openModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { loadDecoder } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, quantize } from '../src/index.ts';
import { TINY_CONFIG, tinyTensors, tinyWindows, writeTinyModel } from './tiny-model.ts';
import { contents, tinyRuns } from './tiny-runs.ts';

const windows = tinyWindows(4, 40);
const { folder, source, backend, run } = tinyRuns(windows);

async function measure(path: string): Promise<number> {
  await using opened = await openModelFolder(path);
  using decoder = await loadDecoder({ config: opened.config, tensors: opened.tensors, backend });
  return (await perplexity(decoder, windows.flat(), { window: 40 })).perplexity;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

describe('quantize', () => {
  it('writes one shard a layer and one for the rest', async () => {
    expect(Object.keys(await contents(await run('plain')))).toEqual([
      'config.json',
      'model-00001-of-00004.safetensors',
      'model-00002-of-00004.safetensors',
      'model-00003-of-00004.safetensors',
      'model-00004-of-00004.safetensors',
      'model.safetensors.index.json',
    ]);
  });

  it('packs embedding and head to 8 bits where that is asked for, each row to half a step', async () => {
    const untied = { ...TINY_CONFIG, tie_word_embeddings: false };
    const from = await writeTinyModel(join(folder, 'untied'), { config: untied });
    await using model = await openModelFolder(from);
    const out = join(folder, 'packed tables');
    await quantize({
      model,
      out,
      backend,
      windows,
      settings: { ...DEFAULT_SETTINGS, activationBits: 16, embeddingBits: 8 },
    });
    await using written = await openModelFolder(out);
    expect(written.config.quantization_config).toMatchObject({ embeddings: { bits: 8 } });
    for (const prefix of ['model.embed_tokens', 'lm_head']) {
      expect(written.tensors.info(`${prefix}.weight`)).toBeUndefined();
      const [codes, scale, zero] = await Promise.all(
        ['codes', 'scale', 'zero'].map(
          async (part) => (await written.tensors.read(`${prefix}.weight_${part}`)).data as Float32Array,
        ),
      );
      const weight = (await model.tensors.read(`${prefix}.weight`)).data as Float32Array;
      weight.forEach((w, i) => {
        const row = Math.floor(i / 16);
        expect(Math.abs((codes[i] - zero[row]) * scale[row] - w)).toBeLessThan(0.5001 * scale[row]);
      });
    }
    const ratio =
      (await measure(out)) / (await measure(await run('untied 16', { activationBits: 16 }, { model })));
    expect(Math.abs(ratio - 1)).toBeLessThan(0.02);
  });

  it('writes the same bytes again', async () => {
    expect(await contents(await run('again'))).toEqual(await contents(await run('once more')));
  });

  it('gives a folder that loads after a copy, with the same perplexity', async () => {
    const path = await run('original');
    await cp(path, join(folder, 'copy'), { recursive: true });
    expect(await measure(join(folder, 'copy'))).toBe(await measure(path));
  });

  it('frees what it took from the backend', async () => {
    const before = backend.liveBytes;
    await run('frees');
    expect(backend.liveBytes).toBe(before);
  });

  it.each([
    { pipeline: 'smoothquant' },
    { key: 'token', steps: 4 },
    { key: 'whole', range: 'saturating', mask: 'own' },
    { key: 'float', saliency: 'random' },
    { activationBits: 16, weightBits: 8 },
    { activationBits: 8, weightBits: 3, steps: 4 },
    { weightBits: 2, salientFraction: 1 },
    { pipeline: 'gptq' },
    { pipeline: 'gptq', weightBits: 2, saliency: 'fisher', key: 'token' },
    { pipeline: 'gptq', activationBits: 16, weightBits: 8 },
    { pipeline: 'gptq', options: { weights: 'ternary' } },
    { pipeline: 'gptq', activationBits: 16, options: { weights: 'ternary', meanSteps: 1.4 } },
  ] as const)('makes a model that can be evaluated with %o', async (changes) => {
    const value = await measure(await run(`case ${Object.values(changes).join(' ')}`, changes));
    expect(value).toBeGreaterThan(1);
    expect(Number.isFinite(value)).toBe(true);
  });

  it('is close to the float model at 8 bits', async () => {
    const path = await run('eight', { weightBits: 8, activationBits: 8 });
    expect(Math.abs((await measure(path)) / (await measure(source)) - 1)).toBeLessThan(0.02);
  });
});

describe('bad input leaves nothing behind', () => {
  const nothingWritten = async (out: string): Promise<void> => {
    expect(await exists(join(folder, out))).toBe(false);
    expect(await exists(join(folder, `${out}.partial`))).toBe(false);
  };
  const expectRefusal = async (name: string, path: string, message: string): Promise<void> => {
    await using model = await openModelFolder(path);
    const out = `refused ${name}`;
    const settings = DEFAULT_SETTINGS;
    await expect(quantize({ model, out: join(folder, out), backend, settings, windows })).rejects.toThrow(
      message,
    );
    await nothingWritten(out);
  };

  it('a missing tensor', async () => {
    const tensors = tinyTensors();
    tensors.delete('model.layers.2.mlp.up_proj.weight');
    const path = await writeTinyModel(join(folder, 'missing'), { tensors });
    await expectRefusal('missing', path, 'expected tensor model.layers.2.mlp.up_proj.weight');
  });

  it('a shape that contradicts the config', async () => {
    const path = await writeTinyModel(join(folder, 'shape'), {
      config: { ...TINY_CONFIG, intermediate_size: 25 },
      tensors: tinyTensors(),
    });
    await expectRefusal(
      'shape',
      path,
      'model.layers.0.mlp.gate_proj.weight: expected [25, 16] as config.json has it, received [24, 16].',
    );
  });

  it.each([Number.NaN, Number.NEGATIVE_INFINITY])('a weight of %d in the last layer', async (value) => {
    const path = await writeTinyModel(join(folder, `weight ${value}`));
    const name = 'model.layers.2.mlp.down_proj.weight';
    const file = await open(join(path, 'model.safetensors'), 'r+');
    const bytes = await file.readFile();
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes));
    await file.write(Float32Array.of(value), 0, 4, 8 + headerBytes + header[name].data_offsets[0] + 4 * 5);
    await file.close();
    await expectRefusal(
      `weight ${value}`,
      path,
      `tensor ${name}: expected finite numbers, received NaN or infinity at flat index 5`,
    );
  });

  it('a config that leaves out a layer', async () => {
    const path = await writeTinyModel(join(folder, 'layers'), {
      config: { ...TINY_CONFIG, num_hidden_layers: 2 },
      tensors: tinyTensors(),
    });
    await expectRefusal(
      'layers',
      path,
      'config.json: expected num_hidden_layers to count all layers of the model, received 2, and a tensor model.layers.2.input_layernorm.weight.',
    );
  });

  it('an unknown architecture', async () => {
    const path = await writeTinyModel(join(folder, 'bert'), {
      config: { ...TINY_CONFIG, model_type: 'bert' },
      tensors: tinyTensors(),
    });
    await expectRefusal('bert', path, 'config.json: expected model_type among llama');
  });

  it('a token id outside the vocabulary', async () => {
    await expect(run('ids', {}, { windows: [[1, 2, 31]] })).rejects.toThrow(
      'expected token ids from 0 to 30, received 31',
    );
    await nothingWritten('ids');
  });

  it('a model that spikes already', async () => {
    await expectRefusal(
      'twice',
      await run('first'),
      'expected a float model, received one with a quantization_config',
    );
  });

  it('an output that exists', async () => {
    await expect(run('source')).rejects.toThrow('expected a path that is free');
  });
});
