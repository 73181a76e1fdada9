/** GGUF files through the decoder: the logits of their weights, and the text that another implementation writes. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend, rint, type Backend } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { openGguf, openModelFolder, sourcePrecision, tensorPrecision } from '@spikellm/checkpoint';
import { readGolden, sharedDirectory } from '@spikellm/golden';
import { generateTokens, loadDecoder, type Decoder, type TensorSource } from '@spikellm/graph';
import { describe, expect, test, type TestContext } from 'vitest';

/** A file that is not committed. */
function sharedOrSkip(context: TestContext, path: string): string {
  const whole = join(sharedDirectory() ?? '', path);
  return existsSync(whole) ? whole : context.skip(`${path} is not there`);
}

function goldenOrSkip(context: TestContext, file: string): string {
  const folder = process.env.SPIKELLM_GOLDEN_DIR;
  if (folder === undefined) return sharedOrSkip(context, `golden/${file}`);
  const path = join(folder, file);
  return existsSync(path) ? path : context.skip(`SPIKELLM_GOLDEN_DIR has no ${file}`);
}

/** Logits of the last token. */
async function lastLogits(backend: Backend, decoder: Decoder, ids: readonly number[]): Promise<Float32Array> {
  using cache = decoder.createCache(ids.length);
  using logits = decoder.forward(ids, cache, { logits: 'last' });
  return Float32Array.from((await backend.read(logits)).data as Float32Array);
}

/** The nearest number of half precision: 11 bits, fewer below 2^-14; halves to even. */
function toHalf(value: number): number {
  if (value === 0) return value;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10);
  return rint(value / step) * step;
}

/** What a writer of a type makes of weights, as numbers again. */
const ROUNDERS: Readonly<Record<string, (weights: Float32Array) => Float32Array>> = {
  F32: (weights) => weights,
  F16: (weights) => weights.map(toHalf),
  // Each 32 weights have the scale that takes the largest of them to 127; halves go away from zero.
  Q8_0(weights) {
    const rounded = new Float32Array(weights.length);
    for (let start = 0; start < weights.length; start += 32) {
      const block = weights.subarray(start, start + 32);
      const scale = Math.fround(Math.max(...block.map(Math.abs)) / 127);
      const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
      block.forEach((weight, i) => {
        const code = Math.fround(weight * inverse);
        rounded[start + i] = toHalf(scale) * Math.sign(code) * Math.floor(Math.abs(code) + 0.5);
      });
    }
    return rounded;
  },
};

describe.each(['f16', 'q8_0'])('stories260k in %s', (kind) => {
  test('has the logits of the rounded weights of the model that it was made from', async (context) => {
    await using folder = await openGguf(goldenOrSkip(context, `gguf/stories260k-${kind}.gguf`));
    await using source = await openModelFolder(sharedOrSkip(context, 'models/stories260k'));
    const rounded: TensorSource = {
      names: () => source.tensors.names(),
      info: (name) => source.tensors.info(name),
      async read(name) {
        const tensor = await source.tensors.read(name);
        const { type } = tensorPrecision(folder.tensors, name) ?? { type: 'none' };
        return { type: 'float32', dims: tensor.dims, data: ROUNDERS[type](tensor.data as Float32Array) };
      },
    };
    using backend = createReferenceBackend();
    const [got, wanted] = [
      await loadDecoder({ backend, config: folder.config, tensors: folder.tensors }),
      await loadDecoder({ backend, config: source.config, tensors: rounded }),
    ];
    const tokenizer = await folder.tokenizer();
    for (const { prompt, ids } of readGolden('stories260k').prompts) {
      expect(tokenizer.encode(prompt)).toEqual(ids);
      const logits = await lastLogits(backend, got, ids);
      expect(logits).toEqual(await lastLogits(backend, wanted, ids));
    }
  });
});

interface SmolGolden {
  /** Of the last token of `ids`: the logits of the first tokens of the vocabulary, and the largest of all. */
  readonly logits: {
    readonly ids: readonly number[];
    readonly last: readonly number[];
    readonly top_ids: readonly number[];
    readonly top: readonly number[];
  };
  readonly greedy: {
    readonly prompt: readonly number[];
    readonly ids: readonly number[];
    readonly text: string;
  };
}

/** Logits of about 10, summed in another order over 30 layers, and written with 5 decimals: 3e-5 was measured. */
const LOGIT_ERROR = 2e-4;

test('SmolLM2-135M has the logits and writes the text that transformers gives of its weights', async (context) => {
  const path = sharedOrSkip(context, 'models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf');
  const golden = JSON.parse(readFileSync(goldenOrSkip(context, 'smollm2.json'), 'utf8')) as SmolGolden;
  await using folder = await openGguf(path);
  expect(sourcePrecision(folder.tensors).text).toBe('Q4_1, 5.0 bits');
  using backend = createCpuBackend();
  const decoder = await loadDecoder({ backend, config: folder.config, tensors: folder.tensors });
  const logits = await lastLogits(backend, decoder, golden.logits.ids);
  const { last, top, top_ids: topIds } = golden.logits;
  const errors = [
    ...last.map((value, id) => Math.abs(value - logits[id])),
    ...top.map((value, i) => Math.abs(value - logits[topIds[i]])),
  ];
  expect(Math.max(...errors)).toBeLessThan(LOGIT_ERROR);
  const { prompt, ids, text } = golden.greedy;
  const written: number[] = [];
  for await (const id of generateTokens(decoder, prompt, { maxTokens: ids.length })) written.push(id);
  expect(written).toEqual(ids);
  expect((await folder.tokenizer()).decode(written)).toBe(text);
});
