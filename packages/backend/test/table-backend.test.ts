/** What a driver may rely on, watched from a driver that writes down what it is asked for. */
import { describe, expect, it } from 'vitest';
import { createTableBackend, type Driver, type ElementArray } from '../src/index.ts';
import { newElements } from '../src/index.ts';

function watchedDriver(kernels: Driver<ElementArray>['kernels'] = {}) {
  const log: string[] = [];
  const driver: Driver<ElementArray> = {
    name: 'watched',
    report: { device: 'a log', features: [], threads: 1 },
    kernels,
    allocate: (type, length) => {
      log.push(`allocate ${type} ${length}`);
      return newElements(type, length);
    },
    write: (storage, data) => storage.set(data),
    synchronize: async () => {},
    read: async (storage) => storage.slice(),
    release: (storage) => log.push(`release ${storage.length}`),
    dispose: () => log.push('dispose'),
  };
  return { backend: createTableBackend(driver), log };
}

const float = (...values: number[]) => ({
  type: 'float32',
  data: Float32Array.from(values),
  dims: [1, values.length],
});

describe('memory', () => {
  it('is released once, and the driver is disposed last and once', () => {
    const { backend, log } = watchedDriver();
    const first = backend.upload(float(1, 2));
    backend.allocate('uint8', [3]);
    first.dispose();
    first.dispose();
    backend.dispose();
    backend.dispose();
    expect(log).toEqual(['allocate float32 2', 'allocate uint8 3', 'release 2', 'release 3', 'dispose']);
  });

  it('is not asked for when the tensor is bad', () => {
    const { backend, log } = watchedDriver();
    expect(() => backend.upload({ ...float(1), dims: [2] })).toThrow('upload: expected 2 elements');
    expect(() => backend.allocate('float32', [0.5])).toThrow('allocate: expected dims of whole numbers');
    expect(() => backend.allocate('toString' as never, [1])).toThrow('received toString');
    expect([log, backend.liveBytes]).toEqual([[], 0]);
  });

  it('of a tensor keeps its dims when the caller changes the list', () => {
    const { backend } = watchedDriver();
    const dims = [1, 2];
    const tensor = backend.upload({ ...float(1, 2), dims });
    dims[0] = 7;
    expect(tensor.dims).toEqual([1, 2]);
  });
});

describe('kernels', () => {
  const scale = {
    prepare: (constants: Readonly<Record<string, ElementArray>>) => Float32Array.from(constants.weightScale),
    packedBytes: (packed: unknown) => (packed as Float32Array).byteLength,
    run: () => {},
  };
  const constants = {
    weight: { type: 'uint8', data: Uint8Array.of(1, 2, 3), dims: [3, 1] },
    weightScale: { type: 'float32', data: Float32Array.of(1, 2, 3), dims: [3] },
    weightZero: { type: 'int32', data: Int32Array.of(0, 0, 0), dims: [3] },
  };

  it('that keep memory are counted and released', () => {
    const released: unknown[] = [];
    const { backend } = watchedDriver({
      linear_packed_f32: { ...scale, release: (packed) => released.push(packed) },
    });
    const ready = backend.prepare('linear_packed_f32', { weightBits: 8, C: 1 }, constants);
    expect([backend.liveBytes, ready.dims]).toEqual([12, { weightBits: 8, C: 1, O: 3 }]);
    ready.dispose();
    ready.dispose();
    expect([backend.liveBytes, released]).toEqual([0, [Float32Array.of(1, 2, 3)]]);
  });

  it('get the storage of constants that are on the device, and host memory otherwise', () => {
    const seen: ElementArray[] = [];
    const prepare = (given: Readonly<Record<string, ElementArray>>): Float32Array => {
      seen.push(given.weight, given.weightScale);
      return Float32Array.of();
    };
    const { backend } = watchedDriver({ linear_packed_f32: { ...scale, prepare } });
    const weight = backend.upload(constants.weight);
    backend.prepare('linear_packed_f32', { weightBits: 8, C: 1 }, { ...constants, weight });
    expect(seen[0]).toEqual(constants.weight.data);
    expect(seen[0]).not.toBe(constants.weight.data);
    expect(seen[1]).toBe(constants.weightScale.data);
  });

  it('run with storages, dims, attributes and scalars by name', () => {
    const calls: unknown[] = [];
    const { backend } = watchedDriver({ add_f32: { run: (call) => calls.push(call) } });
    const [a, b, y] = [float(1, 2), float(3, 4), float(0, 0)].map((tensor) => backend.upload(tensor));
    backend.dispatch(backend.prepare('add_f32', {}, {}), { a, b, y }, {});
    const operands = { a: Float32Array.of(1, 2), b: Float32Array.of(3, 4), y: Float32Array.of(0, 0) };
    expect(calls).toEqual([
      { operands, dims: { N: 1, C: 2 }, attributes: {}, scalars: {}, packed: undefined },
    ]);
  });

  it('are supported through their default body where the driver has what it needs', () => {
    const nothing = { run: () => {} };
    const { backend } = watchedDriver({ linear_f32: nothing, matmul_f32: nothing });
    expect(backend.supports('channel_saliency_f32')).toBe(false);
    expect(() => backend.prepare('channel_saliency_f32', {}, {})).toThrow(
      'prepare channel_saliency_f32: expected a kernel that the watched backend has, received channel_saliency_f32; choose another backend, the reference backend has every kernel.',
    );
    const whole = watchedDriver({
      linear_f32: nothing,
      matmul_f32: nothing,
      column_dot_f32: nothing,
    }).backend;
    expect(whole.supports('channel_saliency_f32')).toBe(true);
  });

  it('run their default body with temporary tensors that are gone afterwards', () => {
    const order: string[] = [];
    const named = (name: string) => ({ run: () => void order.push(name) });
    const { backend } = watchedDriver({
      linear_f32: named('linear'),
      matmul_f32: named('matmul'),
      column_dot_f32: named('dot'),
    });
    const [x, weight] = [float(1, 2), float(3, 4)].map((tensor) => backend.upload(tensor));
    const score = backend.allocate('float32', [2]);
    const before = backend.liveBytes;
    const saliency = backend.prepare('channel_saliency_f32', {}, {});
    backend.dispatch(saliency, { x, weight, score }, {});
    backend.dispatch(saliency, { x, weight, score }, {});
    expect(order).toEqual(['linear', 'matmul', 'dot', 'linear', 'matmul', 'dot']);
    expect(backend.liveBytes).toBe(before);
  });
});
