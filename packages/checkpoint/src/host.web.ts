import { SpikeError } from '@spikellm/backend';
import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Host } from './host.ts';

export const host: Host = {
  files() {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'files',
      expected: 'a store of files, for a browser has no disk',
      received: 'none',
      remedy: 'pass createMemoryFiles() or await openOpfsFiles() as the option `files`',
    });
  },
  createDigest(name) {
    const hash = { sha1, sha256 }[name].create();
    return {
      update: (data) => void hash.update(bytesOf(data)),
      hex: () => bytesToHex(hash.digest()),
    };
  },
  hubToken: () => undefined,
  withinTime: (_milliseconds, body) => body(), // a page ends its worker, or the browser the page
  gatedRemedy: 'check the name; gated models cannot be read in a browser',
  isOffline: () => false, // requests fail by themselves
  hubCache: async () => 'models',
};

function bytesOf(data: ArrayBufferView | string): Uint8Array {
  if (typeof data === 'string') return utf8ToBytes(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
