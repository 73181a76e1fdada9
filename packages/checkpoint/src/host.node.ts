import { createHash } from 'node:crypto';
import type { Host } from './host.ts';
import { nodeFiles } from './node-files.ts';

export const host: Host = {
  files: () => nodeFiles,
  createDigest(name) {
    const hash = createHash(name);
    return { update: (data) => void hash.update(data), hex: () => hash.digest('hex') };
  },
  hubToken: () => process.env.HF_TOKEN,
  hubCache: async () => (await import('@huggingface/hub')).getHFHubCachePath(),
};
