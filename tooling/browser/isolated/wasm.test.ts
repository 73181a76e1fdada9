import { describeConformance } from '@spikellm/backend-conformance';
import { createWasmBackend, supportedInstructionSets } from '@spikellm/backend-wasm';
import { assert, describe, expect, test } from 'vitest';
import golden from '../../golden/numbers/kernels.json' with { type: 'json' };

test('the page is isolated and its engine has relaxed SIMD', () => {
  expect(crossOriginIsolated).toBe(true);
  expect(supportedInstructionSets()).toEqual(['relaxed-simd', 'simd128']);
});

for (const isa of ['relaxed-simd', 'simd128'] as const) {
  for (const threads of [1, 2]) {
    describe(`wasm ${isa} on ${threads}`, () => {
      describeConformance({
        createBackend: () => createWasmBackend({ isa, threads }),
        golden: golden as never,
        expectReport: ({ features, threads: used }) => {
          assert.deepEqual(features, [isa]);
          assert.equal(used, threads);
        },
      });
    });
  }
}
