import { createHash } from 'node:crypto';
import { createContext, Script } from 'node:vm';
import type { Host } from './host.ts';
import { nodeFiles } from './node-files.ts';

const limited = createContext({ body: undefined });
const script = new Script('body()');

export const host: Host = {
  files: () => nodeFiles,
  createDigest(name) {
    const hash = createHash(name);
    // It takes any view, which its types do not say.
    return { update: (data) => void hash.update(data as Uint8Array | string), hex: () => hash.digest('hex') };
  },
  hubToken: () => process.env.HF_TOKEN,
  withinTime<T>(timeout: number, body: () => T) {
    limited.body = body;
    try {
      return script.runInContext(limited, { timeout }) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
      throw error;
    } finally {
      limited.body = undefined;
    }
  },
  gatedRemedy: 'check the name, and set HF_TOKEN where the model is gated',
  isOffline: () => /^(1|on|yes|true)$/i.test(process.env.HF_HUB_OFFLINE ?? ''),
  hubCache: async () => (await import('@huggingface/hub')).getHFHubCachePath(),
};
