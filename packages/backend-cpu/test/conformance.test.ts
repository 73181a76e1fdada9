import { describeConformance } from '@spikellm/backend-conformance';
import { readGolden } from '@spikellm/golden';
import { describe, expect } from 'vitest';
import { createCpuBackend, supportedInstructionSets } from '../src/index.ts';

for (const isa of supportedInstructionSets()) {
  for (const threads of [1, 2]) {
    describe(`${isa} on ${threads}`, () => {
      describeConformance({
        createBackend: () => createCpuBackend({ isa, threads }),
        golden: readGolden('kernels'),
        expectReport: ({ features, threads: used }) => {
          expect(features).toEqual([isa]);
          expect(used).toBe(threads);
        },
      });
    });
  }
}
