import { SpikeError } from '@spikellm/backend';
import { expect, test } from 'vitest';
import { host as node } from '../src/host.node.ts';
import { host as web } from '../src/host.web.ts';

test.for(['sha1', 'sha256'] as const)('%s is the same in Node and in browsers', (name) => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) % 256);
  const hex = [node, web].map((host) => {
    const digest = host.createDigest(name);
    digest.update('text ✓');
    digest.update(bytes);
    digest.update(bytes.subarray(3, 130));
    digest.update(new Uint16Array(bytes.buffer, 8, 5));
    digest.update(Float32Array.of(Math.PI));
    return digest.hex();
  });
  expect(hex[0]).toMatch(/^([0-9a-f]{40}|[0-9a-f]{64})$/);
  expect(hex[1]).toBe(hex[0]);
});

test('a browser asks for a store in one sentence', () => {
  expect(() => web.files()).toThrow(SpikeError);
  expect(() => web.files()).toThrow(
    /^files: expected a store of files, .*received none; pass createMemoryFiles\(\) or await openOpfsFiles\(\)/,
  );
});
