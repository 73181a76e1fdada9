/** Bad calls are refused before anything runs, each in one exact sentence. */
import {
  createRunner,
  kernelNames,
  type Backend,
  type DeviceTensor,
  type KernelName,
} from '@spikellm/backend';
import { expect } from 'vitest';
import { bytes, float, sentenceOf, zeros, type Check, type CreateBackend } from '../check.ts';

type Dispatch = (operands: object, scalars?: object) => void;

/** One bad call of each kind: what is called and the sentence that must come. */
function refusals(backend: Backend, other: Backend): [() => unknown, string][] {
  const runner = createRunner(backend);
  const tensor = (...dims: number[]): DeviceTensor => runner.upload(zeros(...dims));
  const prepare = (kernel: KernelName, attributes: object, constants: object = {}) =>
    runner.prepare(kernel, attributes, constants);
  const dispatch = (kernel: KernelName, attributes: object = {}, constants: object = {}): Dispatch => {
    const prepared = prepare(kernel, attributes, constants);
    return (operands, scalars = {}) => backend.dispatch(prepared, operands, scalars as never);
  };
  const x = tensor(2, 3);
  const y = tensor(2, 3);
  const add = dispatch('add_f32');
  const gif = { bits: 4, range: 'lossless', classes: [1, 2] };
  const encode = dispatch('gif_encode_f32', gif, { steps: bytes([1, 2, 1], 3) });
  const attention = { H: 2, K: 2, D: 2, scale: 1, window: 0, softcap: 0 };
  const attend = dispatch('attend_f32', attention);
  const cache = { keys: tensor(5, 4), values: tensor(5, 4) };
  const step = { q: tensor(2, 4), k: tensor(2, 4), v: tensor(2, 4), y: tensor(2, 4) };
  const rope = dispatch('rope_f32', { H: 1, D: 4 });
  const grouped = dispatch('attend_f32', { ...attention, H: 3 });
  const foreign = other.upload(zeros(2, 3));
  const foreignKernel = other.prepare('add_f32', {}, {});

  return [
    // tensors
    [
      () => backend.upload(float([1, 2, 3], 2, 2)),
      'SHAPE upload: expected 4 elements for dims [2, 2], received 3.',
    ],
    [
      () => backend.upload({ type: 'float64', data: new Float64Array(1), dims: [1] }),
      'DTYPE upload: expected float32, float16, int32, uint8 or uint16, received float64.',
    ],
    [
      () => backend.upload({ type: 'float32', data: new Int32Array(1), dims: [1] }),
      'DTYPE upload: expected data of float32 in a Float32Array, received Int32Array.',
    ],
    [
      () => backend.allocate('float32', [2, -1]),
      'SHAPE allocate: expected dims of whole numbers, received [2, -1].',
    ],

    // shapes and types
    [() => add({ a: x, b: tensor(2, 4), y }), 'SHAPE add_f32: expected b of [2, 3], received [2, 4].'],
    [() => add({ a: x, b: tensor(6), y }), 'SHAPE add_f32: expected b of [2, 3], received [6].'],
    [
      () => add({ a: x, b: backend.allocate('int32', [2, 3]), y }),
      'DTYPE add_f32: expected b of type float32, received int32.',
    ],
    [
      () => encode({ x, codes: backend.allocate('uint16', [2, 3]), scale: y, zero: y }),
      'DTYPE gif_encode_f32: expected codes of type uint8, received uint16.',
    ],
    [
      () => prepare('gif_encode_f32', gif, { steps: bytes([1, 2], 2, 1) }),
      'SHAPE prepare gif_encode_f32: expected steps of [C], received [2, 1].',
    ],

    // operands
    [() => add({ a: x, y }), 'INVALID_ARGUMENT add_f32: expected operand b, received nothing.'],
    [
      () => add({ a: x, b: x, y, c: x }),
      'INVALID_ARGUMENT add_f32: expected operands among a, b, y, received c.',
    ],
    [
      () => add({ a: x, b: x, y: x }),
      'INVALID_ARGUMENT add_f32: expected y to be a tensor of its own, received the tensor that is also a.',
    ],
    [
      () => attend({ ...step, keys: cache.keys, values: cache.keys }, { position: 0 }),
      'INVALID_ARGUMENT attend_f32: expected keys to be a tensor of its own, received the tensor that is also values.',
    ],
    [
      () => add({ a: x, b: foreign, y }),
      `INVALID_ARGUMENT add_f32: expected b to be a tensor of this backend (${backend.name}), received a tensor from elsewhere; upload it first.`,
    ],
    [
      () => backend.dispatch(foreignKernel, { a: x, b: x, y }, {}),
      `INVALID_ARGUMENT add_f32: expected a kernel that this backend (${backend.name}) prepared, received a kernel from elsewhere; prepare it here.`,
    ],

    // attributes and scalars
    [
      () => prepare('rmsnorm_f32', { eps: 0 }),
      'INVALID_ARGUMENT prepare rmsnorm_f32: expected attribute eps to be a finite number above 0, received 0.',
    ],
    [
      () => prepare('rmsnorm_f32', { eps: Number.NaN }),
      'INVALID_ARGUMENT prepare rmsnorm_f32: expected attribute eps to be a finite number above 0, received NaN.',
    ],
    [
      () => prepare('rmsnorm_f32', {}),
      'INVALID_ARGUMENT prepare rmsnorm_f32: expected attribute eps to be a finite number above 0, received nothing.',
    ],
    [
      () => prepare('rmsnorm_f32', { eps: 1e-5, H: 1, epsilon: 1 }),
      'INVALID_ARGUMENT prepare rmsnorm_f32: expected attributes among eps, H, received epsilon.',
    ],
    [
      () => prepare('attend_f32', { ...attention, window: -1 }),
      'INVALID_ARGUMENT prepare attend_f32: expected attribute window to be a whole number from 0 to 2147483647, received -1.',
    ],
    [
      () => prepare('attend_f32', { ...attention, softcap: -1 }),
      'INVALID_ARGUMENT prepare attend_f32: expected attribute softcap to be a finite number of 0 or more, received -1.',
    ],
    [
      () => prepare('gif_encode_f32', { ...gif, bits: 13 }, { steps: bytes([1], 1) }),
      'INVALID_ARGUMENT prepare gif_encode_f32: expected attribute bits to be a whole number from 1 to 12, received 13.',
    ],
    [
      () => prepare('gif_encode_f32', { ...gif, classes: [2, 1] }, { steps: bytes([1], 1) }),
      'INVALID_ARGUMENT prepare gif_encode_f32: expected attribute classes to be rising powers of two that begin with 1 and end at 16 or below, such as [1, 2], received [2,1].',
    ],
    [
      () => prepare('gif_encode_f32', gif, { steps: bytes([1, 4], 2) }),
      'INVALID_ARGUMENT prepare gif_encode_f32: expected steps of every channel among 1, 2, received 4 at channel 1.',
    ],
    [
      () => grouped({ ...step, ...cache }, { position: 0 }),
      'SHAPE attend_f32: expected q of [2, 6], received [2, 4].',
    ],
    [
      () =>
        grouped(
          { q: tensor(1, 6), k: tensor(1, 4), v: tensor(1, 4), y: tensor(1, 6), ...cache },
          { position: 0 },
        ),
      'INVALID_ARGUMENT attend_f32: expected query heads H to be a multiple of key/value heads K, received 3 and 2.',
    ],
    [
      () => attend({ ...step, ...cache }, { position: 4 }),
      'INVALID_ARGUMENT attend_f32: expected position + N to be at most the 5 positions of the cache, received 4 + 2.',
    ],
    [
      () => attend({ ...step, ...cache }, { position: -1 }),
      'INVALID_ARGUMENT attend_f32: expected scalar position to be a whole number of 0 or more, received -1.',
    ],
    [
      () => attend({ ...step, ...cache }),
      'INVALID_ARGUMENT attend_f32: expected scalar position to be a whole number of 0 or more, received undefined.',
    ],
    [
      () => add({ a: x, b: x, y }, { position: 0 }),
      'INVALID_ARGUMENT add_f32: expected no scalar, received position.',
    ],
    [
      () => rope({ x: tensor(2, 4), cos: tensor(3, 2), sin: tensor(3, 2), y: tensor(2, 4) }, { position: 2 }),
      'INVALID_ARGUMENT rope_f32: expected position + N to be at most the 3 rows of the tables, received 2 + 2.',
    ],
    [
      () => rope({ x: tensor(2, 4), cos: tensor(3, 4), sin: tensor(3, 4), y: tensor(2, 4) }, { position: 0 }),
      'INVALID_ARGUMENT rope_f32: expected tables of at most D/2 = 2 columns, received 4.',
    ],
  ];
}

export const errorChecks: Check[] = [
  {
    name: 'bad calls are refused in one sentence each',
    needs: ['add_f32', 'rmsnorm_f32', 'gif_encode_f32', 'attend_f32', 'rope_f32'],
    run: badCalls,
  },
  { name: 'an unknown kernel is UNSUPPORTED', needs: [], run: unknownKernel },
  { name: 'memory that there is not is OUT_OF_MEMORY', needs: [], run: tooMuchMemory },
  { name: 'what is supported is what prepare takes', needs: [], run: supported },
];

async function badCalls(_: Backend, create: CreateBackend): Promise<void> {
  using backend = await create();
  using other = await create();
  for (const [call, sentence] of refusals(backend, other)) expect(await sentenceOf(call)).toBe(sentence);
}

async function unknownKernel(backend: Backend): Promise<void> {
  const name = 'nothing_f32' as KernelName;
  expect(backend.supports(name)).toBe(false);
  expect(await sentenceOf(() => backend.prepare(name, {}, {}))).toBe(
    `UNSUPPORTED prepare nothing_f32: expected a kernel that the ${backend.name} backend has, received nothing_f32; choose another backend, the reference backend has every kernel.`,
  );
}

/** 2^50 bytes, more than any address space of today holds. */
async function tooMuchMemory(backend: Backend): Promise<void> {
  const before = backend.liveBytes;
  expect(await sentenceOf(() => backend.allocate('float32', [2 ** 24, 2 ** 24]))).toMatch(/^OUT_OF_MEMORY /);
  expect(backend.liveBytes).toBe(before);
}

async function supported(backend: Backend): Promise<void> {
  const taken: KernelName[] = [];
  for (const kernel of kernelNames) {
    const sentence = await sentenceOf(() => backend.prepare(kernel, {}, {}).dispose());
    if (!sentence.startsWith('UNSUPPORTED')) taken.push(kernel);
  }
  expect(taken).toEqual(kernelNames.filter((kernel) => backend.supports(kernel)));
}
