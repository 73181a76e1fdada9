import { strict as assert } from 'node:assert';
import { describeConformance } from '@spikellm/backend-conformance';
import { readGolden } from '@spikellm/golden';
import { describe, it } from 'vitest';
import { create, missing } from './adapter.ts';
import { skip } from './skips.ts';

describe('webgpu', () => {
  if (missing !== undefined) {
    it('passes the conformance suite', ({ skip: leave }) => leave(missing));
    return;
  }
  describeConformance({
    createBackend: () => create(),
    golden: readGolden('kernels'),
    skip,
    expectReport: ({ device }) => assert.match(device, /^WebGPU (on|in software)/),
  });
});
