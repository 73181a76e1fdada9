/** Fused kernels against the nodes that they compute: the same bits, and fused where they can be. */
import {
  createReferenceBackend,
  createRunner,
  type Backend,
  type DeviceTensor,
  type KernelName,
} from '@spikellm/backend';
import { memorySource, randomFloats, seeded } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import {
  parseModel,
  parseSpikingConfig,
  prepareLayer,
  readLayer,
  rotaryAngles,
  salientNames,
  salientTensors,
  type Observers,
} from '../src/index.ts';
import { linearsOf, spikingJson, spikingTensors, TINY_CONFIG, type Tensors } from './tiny.ts';

const N = 5;
/** What the linears of a layer may read together. */
const SITES = [['q', 'k', 'v'], ['o'], ['gate', 'up'], ['down']];

/** The reference backend, and the kernels that it has made ready. */
function watchedBackend(): { backend: Backend; prepared: KernelName[] } {
  const prepared: KernelName[] = [];
  const inner = createReferenceBackend();
  const backend: Backend = {
    ...inner,
    prepare(kernel, attributes, constants) {
      prepared.push(kernel);
      return inner.prepare(kernel, attributes, constants);
    },
  };
  return { backend, prepared };
}

interface Case {
  /** Whether the linears of a site have the same steps. */
  readonly shared: boolean;
  readonly bias: boolean;
  readonly down_rotation?: 'hadamard';
}

function checkpoint({ shared, bias, down_rotation }: Case) {
  const quantization_config = { ...spikingJson('token'), format_version: down_rotation ? 2 : 1 };
  const json = { ...TINY_CONFIG, attention_bias: bias, mlp_bias: bias, down_rotation, quantization_config };
  const tensors = spikingTensors(json, 'token');
  if (shared) shareSteps(json, tensors);
  return { json, tensors };
}

/** Gives all linears of a site the same steps. */
function shareSteps(json: object, tensors: Tensors): void {
  const random = seeded(2);
  for (const site of SITES) {
    const steps = new Map<number, Uint8Array>();
    for (const { prefix, inputs } of linearsOf(parseModel({ ...json }))) {
      if (!site.some((name) => prefix.endsWith(`.${name}_proj`))) continue;
      const own = steps.get(inputs) ?? Uint8Array.from({ length: inputs }, () => random.integer(1, 2));
      steps.set(inputs, own);
      for (const name of Object.values(salientNames(prefix))) tensors.delete(name);
      for (const [name, tensor] of salientTensors(prefix, own)) tensors.set(name, tensor);
    }
  }
}

/** What the first layer gives, what its observers see, and the kernels that it prepared. */
async function runLayer(of: Case, fused: boolean) {
  const { json, tensors } = checkpoint(of);
  const model = parseModel(json);
  const spiking = parseSpikingConfig(json);
  const weights = await readLayer(memorySource(tensors), model.layers[0], spiking);
  const { backend, prepared } = watchedBackend();
  using runner = createRunner(backend);
  const layer = prepareLayer(runner, model.layers[0], weights, { spiking, fused });
  const { cos, sin } = rotaryAngles(model.rotary.rope, N);
  const angles = { rope: { cos: runner.upload(cos), sin: runner.upload(sin) } };
  const at = { position: 0, angles };
  const x = runner.upload(randomFloats(seeded(9), [N, TINY_CONFIG.hidden_size], 1));
  const read = async (tensor: DeviceTensor) => (await backend.read(tensor)).data;
  const seen: [string, DeviceTensor][] = [];
  const observers: Observers = {
    input: (_, site, input) => seen.push([site, input]),
    attention: (_, q, k, v) => seen.push(['q', q], ['k', k], ['v', v]),
  };
  const y = layer.forward(x, layer.attention.allocate(backend, N), at, observers);
  const unseen = layer.forward(x, layer.attention.allocate(backend, N), at);
  const result = {
    y: await read(y),
    unseen: await read(unseen),
    seen: await Promise.all(seen.map(async ([site, tensor]) => [site, await read(tensor)])),
    prepared,
  };
  backend.dispose();
  return result;
}

const BIASES = [true, false];
const kernels = (prepared: readonly KernelName[], name: KernelName): number =>
  prepared.filter((each) => each === name).length;

describe.each([
  { shared: true, down_rotation: undefined },
  { shared: false, down_rotation: undefined },
  { shared: true, down_rotation: 'hadamard' as const },
])('steps shared: $shared, rotation $down_rotation', ({ down_rotation, ...rest }) => {
  it.each(BIASES)('fused kernels give the bits of their nodes, biases: %s', async (bias) => {
    const of = { ...rest, bias, ...(down_rotation && { down_rotation }) };
    const [one, other] = [await runLayer(of, true), await runLayer(of, false)];
    expect(one.y).toEqual(other.y);
    expect(one.unseen).toEqual(other.y);
    expect(one.seen).toEqual(other.seen);
    expect(one.seen.map(([site]) => site)).toEqual(['qkv', 'q', 'k', 'v', 'o', 'gate_up', 'down']);
  });
});

it('fuses q, k and v, and gate and up, where they share their spikes, and o and down with their sum', async () => {
  const { prepared } = await runLayer({ shared: true, bias: true }, true);
  expect(prepared).not.toContain('linear_codes_f32');
  expect(kernels(prepared, 'qkv_gif_f32')).toBe(1);
  expect(kernels(prepared, 'gate_up_gif_f32')).toBe(1);
  expect(kernels(prepared, 'linear_gif_f32')).toBe(2);
});

it('prepares five linears alone where each has its own steps', async () => {
  const { prepared } = await runLayer({ shared: false, bias: true }, true);
  expect(prepared).not.toContain('qkv_gif_f32');
  expect(prepared).not.toContain('gate_up_gif_f32');
  expect(kernels(prepared, 'linear_codes_f32')).toBe(5);
  expect(kernels(prepared, 'linear_gif_f32')).toBe(2);
});

it('prepares no fused kernel where that is not wanted, and one encoding of an input with the same steps', async () => {
  const { prepared } = await runLayer({ shared: true, bias: false }, false);
  expect(prepared.filter((name) => /^(qkv|gate_up|linear)_gif_f32$/.test(name))).toEqual([]);
  expect(kernels(prepared, 'linear_codes_f32')).toBe(7);
  expect(kernels(prepared, 'gif_encode_f32')).toBe(4);
});
