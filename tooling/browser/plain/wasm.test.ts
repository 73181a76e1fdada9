import { describeConformance } from '@spikellm/backend-conformance';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { assert, expect, test } from 'vitest';
import golden from '../../golden/numbers/kernels.json' with { type: 'json' };

test('the page is not isolated, and threads are refused with the headers that are missing', async () => {
  expect(crossOriginIsolated).toBe(false);
  await expect(createWasmBackend({ threads: 2 })).rejects.toThrow('Cross-Origin-Opener-Policy: same-origin');
});

describeConformance({
  createBackend: () => createWasmBackend(),
  golden: golden as never,
  expectReport: ({ device }) => {
    assert.equal(
      device,
      'WebAssembly relaxed SIMD on one thread, since the page is not cross-origin isolated',
    );
  },
});
