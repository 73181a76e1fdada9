import { expect, it } from 'vitest';
import { createReferenceBackend, createRunner } from '../src/index.ts';

it('refuses token ids and targets outside the vocabulary', () => {
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const table = runner.upload({ type: 'float32', data: new Float32Array(6), dims: [3, 2] });
  const ids = runner.upload({ type: 'int32', data: Int32Array.of(0, 3), dims: [2] });
  expect(() => runner.run('embedding_f32', { ids, table })).toThrow(
    'embedding_f32: expected token ids from 0 to 2, received 3.',
  );
  const logits = runner.upload({ type: 'float32', data: new Float32Array(6), dims: [2, 3] });
  const targets = runner.upload({ type: 'int32', data: Int32Array.of(-1, 0), dims: [2] });
  expect(() => runner.run('cross_entropy_f32', { logits, targets })).toThrow('received -1.');
});

it('says what it is', () => {
  using backend = createReferenceBackend();
  expect(backend.name).toBe('reference');
  expect(backend.report).toEqual({ device: 'plain TypeScript on one thread', features: [], threads: 1 });
});

it('takes and returns tensors of onnxruntime-common', async () => {
  const { Tensor } = await import('onnxruntime-common');
  using backend = createReferenceBackend();
  using tensor = backend.upload(new Tensor('float32', Float32Array.of(1, 2, 3), [1, 3]));
  const back = await backend.read(tensor);
  expect(back).toBeInstanceOf(Tensor);
  expect([back.type, back.dims, [...back.data]]).toEqual(['float32', [1, 3], [1, 2, 3]]);
});
