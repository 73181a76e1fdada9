import { createReferenceBackend } from '@spikellm/backend';
import { memorySource, TINY_CONFIGS } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import { bindTensors, hostTensor, nodesOf, parseModel, type TensorSource } from '../src/index.ts';
import { floatTensors, loadTensors, logitsOf, tinyIds, type Tensors } from './tiny.ts';

const config = TINY_CONFIGS.phi3;
const model = parseModel(config);
const parts = floatTensors(config);

/** The tensors as files of this family have them: rows of several linears in one. */
function stacked(): Tensors {
  const tensors = new Map(parts);
  for (const { prefix } of model.layers) {
    for (const [name, linears] of Object.entries(model.stacked!)) {
      const all = linears.map((linear) => parts.get(`${prefix}${linear}.weight`)!);
      for (const linear of linears) tensors.delete(`${prefix}${linear}.weight`);
      const rows = Float32Array.from(all.flatMap(({ data }) => [...(data as Float32Array)]));
      tensors.set(`${prefix}${name}.weight`, hostTensor('float32', rows, [rows.length / 16, 16]));
    }
  }
  return tensors;
}

const bind = (tensors: Tensors) => bindTensors(memorySource(tensors), model, undefined);

describe('linears that are stored as one', () => {
  it('are those of the graph, by their names', async () => {
    const bound = bind(stacked());
    expect([...bound.names()].toSorted()).toEqual([...parts.keys()].toSorted());
    for (const [name, { dims, data }] of parts) {
      expect(bound.info(name)).toMatchObject({ shape: dims, bytes: 4 * (data as Float32Array).length });
      expect(await bound.read(name)).toMatchObject({ dims, data });
    }
  });

  it('are read into the memory that is given, and no more than that is kept', async () => {
    const sizes: number[] = [];
    const allocate = (bytes: number): ArrayBuffer => {
      sizes.push(bytes);
      return new ArrayBuffer(bytes);
    };
    const bound: TensorSource = bind(stacked());
    await bound.read('model.layers.0.self_attn.k_proj.weight', { allocate });
    expect(sizes).toEqual([4 * 16 * 16]);
  });

  it('give the same logits, and also without model. before them', async () => {
    using backend = createReferenceBackend();
    const ids = tinyIds(6);
    const base = new Map([...stacked()].map(([name, tensor]) => [name.replace(/^model\./, ''), tensor]));
    const logits = async (tensors: Tensors) => {
      using decoder = await loadTensors(backend, config, tensors);
      return logitsOf(decoder, ids);
    };
    const want = await logits(parts);
    expect(await logits(stacked())).toEqual(want);
    expect(await logits(base)).toEqual(want);
  });

  it('are refused where their rows do not fit, or stand beside one of their own', () => {
    const short = stacked();
    short.set('model.layers.1.mlp.gate_up_proj.weight', parts.get('model.norm.weight')!);
    expect(() => bind(short)).toThrow(
      'model.layers.1.mlp.gate_up_proj.weight: expected [48, 16] as config.json has it, received [16]',
    );
    const both = stacked().set(
      'model.layers.0.self_attn.q_proj.weight',
      parts.get('model.layers.0.self_attn.q_proj.weight')!,
    );
    expect(() => bind(both)).toThrow('model.layers.0.self_attn.qkv_proj.weight: expected a tensor that');
  });
});

it('rotates a part of each head', () => {
  const rotary = model.layers.flatMap((layer) => nodesOf(layer, 'rotary'));
  expect(rotary.map(({ headSize, width }) => [headSize, width])).toEqual(rotary.map(() => [8, 4]));
});

it('knows its scaling by its older names, and no other', () => {
  const named = (type: string) => ({
    ...config,
    rope_scaling: { ...config.rope_scaling, rope_type: undefined, type },
  });
  for (const type of ['su', 'yarn', 'longrope']) expect(parseModel(named(type)).rotary).toEqual(model.rotary);
  expect(() => parseModel({ ...config, rope_scaling: { type: 'linear', factor: 2 } })).toThrow(
    'expected rope_scaling of type \'longrope\', received "linear"',
  );
});
