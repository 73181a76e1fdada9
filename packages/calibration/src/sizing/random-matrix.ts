import type { HostTensor } from '@spikellm/backend';
import { createRandom, hostTensor } from '@spikellm/graph';

/** Float32 numbers in [-scale, scale). */
export function randomMatrix(rows: number, columns: number, scale: number, seed: number): HostTensor {
  const random = createRandom(seed);
  const data = Float32Array.from({ length: rows * columns }, () => scale * (2 * random.real() - 1));
  return hostTensor('float32', data, [rows, columns]);
}
