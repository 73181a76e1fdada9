import { createHash } from 'node:crypto';
import type { Host } from './host.ts';
import { nodeFiles } from './node-files.ts';

export const host: Host = {
  files: () => nodeFiles,
  createDigest(name) {
    const hash = createHash(name);
    // It takes any view, which its types do not say.
    return { update: (data) => void hash.update(data as Uint8Array | string), hex: () => hash.digest('hex') };
  },
  hubToken: () => process.env.HF_TOKEN,
  gatedRemedy: 'check the name, and set HF_TOKEN where the model is gated',
  hubCache: async () => (await import('@huggingface/hub')).getHFHubCachePath(),
};
