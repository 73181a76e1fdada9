import { strict as assert } from 'node:assert';
import { describeConformance } from '@spikellm/backend-conformance';
import { readGolden } from '@spikellm/golden';
import { expect, test } from 'vitest';
import { create, missing } from './adapter.ts';
import { skip } from './skips.ts';

test('there is an adapter to run on', (context) => {
  if (!process.env.SPIKELLM_REQUIRE_WEBGPU && missing !== undefined) context.skip(missing);
  expect(missing, 'WebGPU is required here').toBeUndefined();
});

// Thousands of skipped cases would say no more than the one above.
if (missing === undefined) {
  describeConformance({
    createBackend: () => create(),
    golden: readGolden('kernels'),
    skip,
    expectReport: ({ device }) => assert.match(device, /^WebGPU (on|in software)/),
  });
}
