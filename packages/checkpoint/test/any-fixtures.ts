/** What tests need that run in browsers too. */
import { SpikeError, type SpikeErrorCode } from '@spikellm/backend';
import { Tensor } from 'onnxruntime-common';
import { expect } from 'vitest';

export const tensorOf = (...values: number[]): Tensor =>
  new Tensor('float32', Float32Array.from(values), [values.length]);

/** Bytes of a safetensors file with this header, given as JSON text or as a value. */
export function safetensorsBytes(header: unknown, data: ArrayLike<number> = []): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** Expects a SpikeError of this code whose sentence matches. */
export async function expectError(
  promise: Promise<unknown>,
  code: SpikeErrorCode,
  sentence: RegExp,
): Promise<void> {
  const error: unknown = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SpikeError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(sentence) });
}
