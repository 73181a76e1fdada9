import { describeConformance } from '@spikellm/backend-conformance';
import { createWebGpuBackend } from '@spikellm/backend-webgpu';
import { generateTokens, loadDecoder } from '@spikellm/graph';
import { assert, describe, expect, it } from 'vitest';
import { skip } from '../../../packages/backend-webgpu/test/skips.ts';
import golden from '../../golden/numbers/kernels.json' with { type: 'json' };
import tales from '../../golden/numbers/tales.json' with { type: 'json' };
import { fetchDemoModel } from '../pages/demo-model.ts';

describe('webgpu', () => {
  describeConformance({
    createBackend: () => createWebGpuBackend(),
    golden: golden as never,
    skip,
    // The browser is started with its software adapter, which must say that it is one.
    expectReport: ({ device, features }) => {
      assert.match(device, /^WebGPU in software \(/);
      assert.deepEqual(features, ['subgroups', 'packed_4x8_integer_dot_product']);
    },
  });
});

describe('the demo model on webgpu', () => {
  // A few tokens: a software adapter takes a second for each.
  it.for(tales.prompts)('continues "$prompt" as published', async ({ ids, greedy_ids: published }) => {
    using backend = await createWebGpuBackend();
    using decoder = await loadDecoder({ backend, ...(await fetchDemoModel()) });
    const continued = published.slice(ids.length, ids.length + 8);
    const drawn: number[] = [];
    for await (const id of generateTokens(decoder, ids, { maxTokens: 8, endTokens: [] })) drawn.push(id);
    expect(drawn).toEqual(continued);
  });
});
