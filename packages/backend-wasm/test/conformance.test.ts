import { strict as assert } from 'node:assert';
import { describeConformance } from '@spikellm/backend-conformance';
// By its name: its workers and compiled kernels lie beside the built files.
import { createWasmBackend, supportedInstructionSets } from '@spikellm/backend-wasm';
import { readGolden } from '@spikellm/golden';
import { describe } from 'vitest';

for (const isa of supportedInstructionSets()) {
  for (const threads of [1, 2]) {
    describe(`${isa} on ${threads}`, () => {
      describeConformance({
        createBackend: () => createWasmBackend({ isa, threads }),
        golden: readGolden('kernels'),
        expectReport: ({ features, threads: used }) => {
          assert.deepEqual(features, [isa]);
          assert.equal(used, threads);
        },
      });
    });
  }
}
