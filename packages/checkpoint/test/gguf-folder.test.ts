import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createMemoryFiles,
  openGguf,
  openModelFolder,
  sourcePrecision,
  tensorPrecision,
} from '../src/index.ts';
import { expectError, sharedGoldenOrSkip, sharedOrSkip, temporaryFolder } from './fixtures.ts';
import {
  counting,
  EMBEDDING,
  entriesOf,
  ggufBytes,
  matrix,
  opened,
  vector,
  type Entry,
  type TensorParts,
} from './gguf-fixtures.ts';

describe('tensors', () => {
  const rows = (data: unknown, columns: number): number[] =>
    Array.from(
      { length: (data as Float32Array).length / columns },
      (_, i) => (data as Float32Array)[i * columns],
    );

  test('of llama have their names, and rows of q and k as two halves of a head', async () => {
    await using folder = await opened({
      entries: entriesOf('llama'),
      tensors: [
        EMBEDDING,
        matrix('blk.0.attn_q.weight', 8, 8),
        vector('blk.0.attn_q.bias', 0, 1, 2, 3, 4, 5, 6, 7),
        matrix('blk.0.attn_k.weight', 4, 8),
        matrix('blk.0.attn_v.weight', 4, 8),
        vector('output_norm.weight', 1, 2),
      ],
    });
    expect(folder.keptFiles()).toEqual({}); // it has no tokenizer
    expect([...folder.tensors.names()]).toEqual([
      'model.embed_tokens.weight',
      'model.layers.0.self_attn.q_proj.weight',
      'model.layers.0.self_attn.q_proj.bias',
      'model.layers.0.self_attn.k_proj.weight',
      'model.layers.0.self_attn.v_proj.weight',
      'model.norm.weight',
    ]);
    const read = async (part: string) => (await folder.tensors.read(`model.layers.0.self_attn.${part}`)).data;
    expect(rows(await read('q_proj.weight'), 8)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(rows(await read('q_proj.bias'), 1)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(rows(await read('k_proj.weight'), 8)).toEqual([0, 2, 1, 3]);
    expect(rows(await read('v_proj.weight'), 8)).toEqual([0, 1, 2, 3]);
    expect((await folder.tensors.read('model.norm.weight')).data).toEqual(Float32Array.of(1, 2));
    await expectError(
      folder.tensors.read('lm_head.weight'),
      'MISSING',
      /m\.gguf: expected tensor lm_head\.weight/,
    );
  });

  test('of gemma2 lose the 1 of their norms, and keep rows', async () => {
    await using folder = await opened({
      entries: entriesOf('gemma2'),
      tensors: [EMBEDDING, matrix('blk.0.attn_q.weight', 8, 8), vector('blk.0.post_ffw_norm.weight', 1.5, 0)],
    });
    const norm = await folder.tensors.read('model.layers.0.post_feedforward_layernorm.weight');
    expect(norm.data).toEqual(Float32Array.of(0.5, -1));
    const q = await folder.tensors.read('model.layers.0.self_attn.q_proj.weight');
    expect(rows(q.data, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('of experts come one by one, from a stack or from single ones', async () => {
    const stack = { name: 'blk.0.ffn_up_exps.weight', dimensions: [8, 2, 3], data: counting(6, 8) };
    await using folder = await opened({
      entries: entriesOf(
        'llama',
        ['llama.expert_count', 'uint32', 3],
        ['llama.expert_used_count', 'uint32', 2],
      ),
      tensors: [
        EMBEDDING,
        stack,
        matrix('blk.0.ffn_gate.1.weight', 2, 8),
        matrix('blk.0.ffn_gate_inp.weight', 3, 8),
      ],
    });
    expect(folder.config).toMatchObject({
      model_type: 'mixtral',
      num_local_experts: 3,
      num_experts_per_tok: 2,
    });
    const prefix = 'model.layers.0.block_sparse_moe';
    const second = await folder.tensors.read(`${prefix}.experts.1.w3.weight`);
    expect(second.dims).toEqual([2, 8]);
    expect(rows(second.data, 8)).toEqual([2, 3]);
    expect(folder.tensors.info(`${prefix}.experts.1.w1.weight`)?.shape).toEqual([2, 8]);
    expect(folder.tensors.info(`${prefix}.gate.weight`)?.shape).toEqual([3, 8]);
  });

  test.for<readonly [string, TensorParts[], 'UNSUPPORTED' | 'CORRUPT_FILE' | 'MISMATCH', RegExp]>([
    [
      'unknown to the architecture',
      [vector('blk.0.ssm_a', 1)],
      'UNSUPPORTED',
      /tensor blk\.0\.ssm_a: .*variant/,
    ],
    ['named as nothing is', [vector('constructor.weight', 1)], 'UNSUPPORTED', /tensor constructor\.weight/],
    [
      'there twice',
      [matrix('blk.0.ffn_up.weight', 2, 8), matrix('blk.00.ffn_up.weight', 2, 8)],
      'CORRUPT_FILE',
      /blk\.00\.ffn_up\.weight: .*model\.layers\.0\.mlp\.up_proj\.weight again/,
    ],
    [
      'of more experts than there can be',
      [{ name: 'blk.0.ffn_up_exps.weight', dimensions: [1, 1, 5000], data: counting(5000, 1) }],
      'CORRUPT_FILE',
      /ffn_up_exps\.weight: expected a stack of at most 4096 matrices, received shape \[5000, 1, 1\]/,
    ],
    [
      'whose rows are no heads',
      [matrix('blk.0.attn_q.weight', 6, 8)],
      'MISMATCH',
      /attn_q\.weight: expected rows of 2 heads of an even size, .*6 rows of 8 in F32/,
    ],
  ])('%s are refused', async ([, tensors, code, sentence]) => {
    await expectError(
      opened({ entries: entriesOf('llama'), tensors: [EMBEDDING, ...tensors] }),
      code,
      sentence,
    );
  });
});

describe('a model in parts', () => {
  const part = (no: number, count: number, total: number, ...tensors: TensorParts[]): Blob => {
    const split: Entry[] = [
      ['split.no', 'uint32', no],
      ['split.count', 'uint32', count],
      ['split.tensors.count', 'int32', total],
    ];
    return new Blob([ggufBytes({ entries: no === 0 ? entriesOf('llama', ...split) : split, tensors })]);
  };
  const norm = vector('output_norm.weight', 1, 2);
  const [one, two] = ['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf'];

  test('opens from any of them', async () => {
    const files = createMemoryFiles([
      [one, part(0, 2, 2, EMBEDDING)],
      [two, part(1, 2, 2, norm)],
    ]);
    for (const path of [one, two]) {
      await using folder = await openGguf(path, { files });
      expect([...folder.tensors.names()]).toEqual(['model.embed_tokens.weight', 'model.norm.weight']);
      expect((await folder.tensors.read('model.norm.weight')).data).toEqual(Float32Array.of(1, 2));
    }
  });

  test.for<readonly [string, Blob, Blob | undefined, 'MISSING' | 'MISMATCH', RegExp]>([
    ['of which one is missing', part(0, 2, 2, EMBEDDING), undefined, 'MISSING', /m-00002-of-00002\.gguf/],
    [
      'of another count',
      part(0, 3, 2, EMBEDDING),
      part(1, 3, 2, norm),
      'MISMATCH',
      /2 parts.*split\.count 3/,
    ],
    ['in another order', part(0, 2, 2, EMBEDDING), part(0, 2, 2, norm), 'MISMATCH', /part 2.*split\.no 0/],
    [
      'with a tensor twice',
      part(0, 2, 2, norm),
      part(1, 2, 2, norm),
      'MISMATCH',
      /output_norm\.weight in one file/,
    ],
    [
      'with a tensor too few',
      part(0, 2, 3, EMBEDDING),
      part(1, 2, 3, norm),
      'MISMATCH',
      /3 tensors .*received 2/,
    ],
  ])('%s is refused', async ([, first, second, code, sentence]) => {
    const given: [string, Blob][] = [[one, first]];
    if (second !== undefined) given.push([two, second]);
    await expectError(openGguf(one, { files: createMemoryFiles(given) }), code, sentence);
  });

  test('of which there are none by name is a whole one', async () => {
    const path = 'm-00001-of-00000.gguf';
    const files = createMemoryFiles([
      [path, new Blob([ggufBytes({ entries: entriesOf('llama'), tensors: [EMBEDDING] })])],
    ]);
    await using folder = await openGguf(path, { files });
    expect([...folder.tensors.names()]).toEqual(['model.embed_tokens.weight']);
  });

  test('under the name of a whole is refused', async () => {
    const files = createMemoryFiles([['m.gguf', part(0, 2, 2, EMBEDDING)]]);
    await expectError(openGguf('m.gguf', { files }), 'MISMATCH', /1 parts.*split\.count 2/);
  });
});

describe('precision', () => {
  test('is told of a tensor, and of a file by its layers', async () => {
    await using folder = await opened({
      entries: entriesOf('llama'),
      tensors: [
        { name: 'token_embd.weight', dimensions: [32, 9], type: 8, data: new Uint8Array(9 * 34) },
        { name: 'blk.0.ffn_up.weight', dimensions: [32, 4], type: 3, data: new Uint8Array(4 * 20) },
        vector('blk.0.ffn_norm.weight', 1, 2),
      ],
    });
    const name = 'model.layers.0.mlp.up_proj.weight';
    expect(folder.tensors.info(name)).toEqual({
      dtype: 'F32',
      shape: [4, 32],
      bytes: 80,
      stored: { type: 'Q4_1', bitsPerWeight: 5 },
    });
    expect(tensorPrecision(folder.tensors, name)).toEqual({ type: 'Q4_1', bitsPerWeight: 5 });
    expect(tensorPrecision(folder.tensors, 'none')).toBeUndefined();
    expect(sourcePrecision(folder.tensors)).toEqual({
      type: 'Q4_1',
      bitsPerWeight: 5,
      averageBits: (8 * (9 * 34 + 80 + 8)) / (288 + 128 + 2),
      types: [
        { type: 'Q8_0', bitsPerWeight: 8.5, tensors: 1, weights: 288 },
        { type: 'Q4_1', bitsPerWeight: 5, tensors: 1, weights: 128 },
        { type: 'F32', bitsPerWeight: 32, tensors: 1, weights: 2 },
      ],
      text: 'Q4_1, 5.0 bits',
    });
  });

  test('is told of a folder of safetensors too', async (context) => {
    await using folder = await openModelFolder(join(sharedOrSkip(context), 'models', 'stories260k'));
    expect(sourcePrecision(folder.tensors)).toMatchObject({ text: 'F32, 32.0 bits', averageBits: 32 });
  });
});

describe('files of gguf-py', () => {
  test('in half precision are the model that they were made from, rounded', async (context) => {
    await using folder = await openGguf(sharedGoldenOrSkip(context, 'gguf/stories260k-f16.gguf'));
    await using source = await openModelFolder(join(sharedOrSkip(context), 'models', 'stories260k'));
    expect([...folder.tensors.names()].toSorted()).toEqual([...source.tensors.names()].toSorted());
    for (const name of source.tensors.names()) {
      const [got, wanted] = [await folder.tensors.read(name), await source.tensors.read(name)];
      expect(got.dims).toEqual(wanted.dims);
      // Half precision keeps 11 bits, and 24 below the smallest normal number.
      const [values, close] = [wanted.data as Float32Array, got.data as Float32Array];
      const far = values.findIndex(
        (value, i) => Math.abs(close[i] - value) > Math.max(2 ** -25, Math.abs(value) * 2 ** -11),
      );
      expect({ name, far }).toEqual({ name, far: -1 });
    }
    const stored = await folder.tensors.read('model.embed_tokens.weight', { as: 'stored' });
    expect(stored.type).toBe('float16');
  });

  test('come from nowhere but a file', async () => {
    const path = join(await temporaryFolder(), 'no.gguf');
    await expectError(openGguf(path), 'MISSING', /no\.gguf: expected a file or folder/);
  });
});
