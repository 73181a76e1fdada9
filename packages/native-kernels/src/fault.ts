import { SpikeError } from '@spikellm/backend';

/** What went wrong in queued work. */
export interface Fault {
  /** `index`: an index outside 0..limit-1; `memory`: no memory for scratch. */
  readonly kind: 'index' | 'memory';
  readonly kernel: number;
  readonly index: number;
  readonly limit: number;
}

/** A fault as an error of the kernel `where`. */
export function errorOf({ kind, index, limit }: Omit<Fault, 'kernel'>, where: string): SpikeError {
  return kind === 'index'
    ? new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `token ids from 0 to ${limit - 1}`,
        received: String(index),
      })
    : new SpikeError('OUT_OF_MEMORY', {
        where,
        expected: 'memory to work in',
        received: 'none',
        remedy: 'use a shorter text',
      });
}
