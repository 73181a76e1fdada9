/** What a loaded spiking linear computes, from its tensors and the definition in float64. */
import {
  createReferenceBackend,
  createRunner,
  rint,
  unpackCodes,
  type DeviceTensor,
} from '@spikellm/backend';
import { memorySource } from '@spikellm/fixtures';
import { expect, it } from 'vitest';
import { loadDecoder, readSteps } from '../src/index.ts';
import { spikingJson, spikingTensors, TINY_CONFIG, tinyIds, type Tensors } from './tiny.ts';

const C = TINY_CONFIG.hidden_size;
const PREFIX = 'model.layers.0.self_attn.v_proj';

/** A token [C] as its spikes carry it: per class of T steps, codes 0..15 T on a grid over the whole row. */
function spiked(x: readonly number[], steps: Uint8Array): number[] {
  const least = Math.min(...x);
  const range = Math.max(...x) - least;
  return x.map((value, channel) => {
    const most = 15 * steps[channel];
    const scale = range / most;
    const zero = rint(-least / scale);
    return (Math.min(most, Math.max(0, rint(value / scale) + zero)) - zero) * scale;
  });
}

/** Rows of w[o,c] = (code - zero) scale. */
function dequantised(tensors: Tensors): number[][] {
  const data = (part: string): number[] => Array.from(tensors.get(`${PREFIX}.${part}`)!.data as Uint8Array);
  const [scale, zero] = [data('weight_scale'), data('weight_zero')];
  const codes = Array.from(unpackCodes(Uint8Array.from(data('weight_codes')), scale.length, C, 4));
  return scale.map((s, o) => codes.slice(o * C, (o + 1) * C).map((code) => (code - zero[o]) * s));
}

const rows = (data: Float32Array, width: number): number[][] =>
  Array.from({ length: data.length / width }, (_, n) => Array.from(data.slice(n * width, (n + 1) * width)));

/** What v_proj of the first layer reads and gives for a text, and its tensors. */
async function watch(activationBits: number) {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const { activations, ...rest } = spikingJson('float');
  const quantization_config = { ...rest, activations: { ...activations, bits: activationBits } };
  const config = { ...TINY_CONFIG, attention_bias: true, quantization_config };
  const tensors = spikingTensors(config, 'float');
  const source = memorySource(tensors);
  using decoder = await loadDecoder({ backend, config, tensors: source });
  using cache = decoder.createCache(6);
  const seen: Record<string, DeviceTensor> = {};
  const keep = (name: string, x: DeviceTensor): void => {
    seen[name] = runner.run('add_f32', { a: x, b: backend.allocate('float32', x.dims) }).y;
  };
  decoder.forward(tinyIds(6), cache, {
    logits: 'last',
    observers: {
      input: (layer, site, x) => layer === 0 && site === 'qkv' && keep('x', x),
      attention: (layer, _q, _k, v) => layer === 0 && keep('v', v),
    },
  });
  const read = async (name: string) => (await backend.read(seen[name])).data as Float32Array;
  return {
    x: rows(await read('x'), C),
    v: Array.from(await read('v')),
    bias: Array.from(tensors.get(`${PREFIX}.bias`)!.data as Float32Array),
    weight: dequantised(tensors),
    steps: await readSteps(source, PREFIX, C),
    otherSteps: await readSteps(source, 'model.layers.0.self_attn.q_proj', C),
  };
}

const linear = (x: readonly number[][], weight: readonly number[][], bias: readonly number[]): number[] =>
  x.flatMap((row) => weight.map((w, o) => w.reduce((sum, value, c) => sum + value * row[c], bias[o])));

const error = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i])));

it('a spiking linear: its own salient channels in more steps, packed weights, bias', async () => {
  const { x, v, weight, bias, steps, otherSteps } = await watch(4);
  expect(new Set(steps)).toEqual(new Set([1, 2, 4]));
  const of = (own: Uint8Array): number[] =>
    linear(
      x.map((row) => spiked(row, own)),
      weight,
      bias,
    );
  expect(error(v, of(steps))).toBeLessThan(1e-5);
  expect(error(v, of(otherSteps))).toBeGreaterThan(1e-2); // not those of q_proj, which reads the same input
  expect(error(v, of(steps.map(() => 1)))).toBeGreaterThan(1e-2);
});

it('a linear of float activations and packed weights, with its bias', async () => {
  const { x, v, weight, bias } = await watch(16);
  expect(error(v, linear(x, weight, bias))).toBeLessThan(1e-5);
});
