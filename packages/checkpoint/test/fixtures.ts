import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpikeError, type SpikeErrorCode } from '@spikellm/backend';
import { sharedDirectory } from '@spikellm/golden';
import { expect, onTestFinished, type TestContext } from 'vitest';

/** An empty folder that is removed when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'spikellm-checkpoint-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The folder with models and texts; skips the test where there is none. */
export function sharedOrSkip(context: TestContext): string {
  return sharedDirectory() ?? context.skip('the folder of shared models and texts is not there');
}

/** Bytes of a safetensors file with this header, given as JSON text or as a value. */
export function safetensorsBytes(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** Writes a file into a new folder and returns its path. */
export async function temporaryFile(bytes: Uint8Array, name = 'model.safetensors'): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, bytes);
  return path;
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
