/** Stages of a layer: one kernel where linears share their spikes, else several, to the same bits. */
import {
  createReferenceBackend,
  createRunner,
  packCodes,
  type Backend,
  type DeviceTensor,
  type KernelName,
  type Runner,
} from '@spikellm/backend';
import { expect, it } from 'vitest';
import { createRandom, hostTensor, parseSpikingConfig, type LinearWeights } from '../src/index.ts';
import { prepareGroup } from '../src/linear.ts';
import { prepareGateUp, prepareQkv, prepareResidual } from '../src/stages.ts';
import { spikingJson, TINY_CONFIG } from './tiny.ts';

const [N, C, H, K, D, O] = [5, 24, 4, 2, 6, 24];
const spiking = parseSpikingConfig({ ...TINY_CONFIG, quantization_config: spikingJson('float') });
const random = createRandom(11);
const floats = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random.real() - 1);

const steps = (): Uint8Array => Uint8Array.from({ length: C }, () => (random.real() < 0.7 ? 1 : 2));
function linear(outputs: number, own: Uint8Array, bias: boolean): LinearWeights {
  const codes = Uint8Array.from({ length: outputs * C }, () => random.integer(0, 15));
  return {
    entry: { name: 'l', prefix: 'model.l', group: 'o', outputs, inputs: C, bias },
    weight: {
      bits: 4,
      codes: hostTensor('uint8', packCodes(codes, outputs, C, 4), [outputs, C / 2]),
      scale: hostTensor('float32', floats(outputs).map(Math.abs)),
      zero: hostTensor('int32', new Int32Array(outputs).fill(7)),
    },
    bias: bias ? hostTensor('float32', floats(outputs)) : undefined,
    steps: own,
  };
}

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

/** What the stages give, and what their linears give one by one. */
function build(runner: Runner, linears: readonly LinearWeights[]) {
  const x = runner.upload({ type: 'float32', data: floats(N * C), dims: [N, C] });
  const residual = runner.upload({ type: 'float32', data: floats(N * O), dims: [N, O] });
  const norm = { weight: runner.upload(hostTensor('float32', floats(C))), eps: 1e-5 };
  const normed = runner.run('rmsnorm_f32', { x, weight: norm.weight }, { eps: norm.eps }).y;
  const [gate, up] = linears.slice(3);
  const apart = (of: readonly LinearWeights[], input: DeviceTensor) =>
    prepareGroup(runner, of, spiking).run(input);
  const seen: DeviceTensor[] = [];
  const watch = (input: DeviceTensor): void => void seen.push(input);
  const [a, b] = apart([gate, up], normed);
  return {
    stages: [
      ...prepareQkv(runner, linears.slice(0, 3), spiking, norm, { H, K, D }).run(watch, x),
      prepareGateUp(runner, [gate, up], spiking, norm).run(watch, x),
      prepareResidual(runner, gate, spiking).run(undefined, x, residual),
      ...seen,
    ],
    parts: [
      ...apart(linears.slice(0, 3), normed),
      runner.run('swiglu_f32', { gate: a, up: b }).y,
      runner.run('add_f32', { a: residual, b: apart([gate], x)[0] }).y,
      normed,
      normed,
    ],
  };
}

it.each([
  { shared: true, bias: true },
  { shared: true, bias: false },
  { shared: false, bias: true },
])('give the bits of their parts: spikes shared $shared, bias $bias', async ({ shared, bias }) => {
  const { backend, prepared } = watchedBackend();
  using runner = createRunner(backend);
  const common = steps();
  const linears = [H * D, K * D, K * D, O, O].map((outputs) =>
    linear(outputs, shared ? common : steps(), bias),
  );
  const { stages, parts } = build(runner, linears);
  for (const [i, stage] of stages.entries()) {
    expect((await backend.read(stage)).data).toEqual((await backend.read(parts[i])).data);
  }
  expect(prepared.includes('qkv_gif_f32')).toBe(shared);
  expect(prepared.includes('gate_up_gif_f32')).toBe(shared);
  expect(prepared).toContain('linear_gif_f32');
  backend.dispose();
});
