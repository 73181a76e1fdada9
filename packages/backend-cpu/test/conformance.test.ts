import { strict as assert } from 'node:assert';
import { describeConformance } from '@spikellm/backend-conformance';
import { readGolden } from '@spikellm/golden';
import { describe } from 'vitest';
import { createCpuBackend, supportedInstructionSets } from '../src/index.ts';

for (const isa of supportedInstructionSets()) {
  for (const threads of [1, 2]) {
    describe(`${isa} on ${threads}`, () => {
      describeConformance({
        createBackend: () => createCpuBackend({ isa, threads }),
        golden: readGolden('kernels'),
        expectReport: ({ features, threads: used }) => {
          assert.deepEqual(features, [isa]);
          assert.equal(used, threads);
        },
      });
    });
  }
}
