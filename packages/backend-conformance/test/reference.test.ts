import { createReferenceBackend, type BackendReport } from '@spikellm/backend';
import { readGolden } from '@spikellm/golden';
import { expect } from 'vitest';
import { describeConformance } from '../src/index.ts';

function onOneThread({ device, threads }: BackendReport): void {
  expect([device, threads]).toEqual(['plain TypeScript on one thread', 1]);
}

describeConformance({
  createBackend: createReferenceBackend,
  golden: readGolden('kernels'),
  expectReport: onOneThread,
});
