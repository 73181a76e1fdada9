/** Probes of the machine, of @spikellm/native-kernels, on a session of their own. */
import type { Device } from '@spikellm/native-kernels';
import type { Addon, InstructionSet, Storage } from './addon.ts';
import { openDevice } from './device.ts';

/** What the machine can do at most with one instruction set and so many threads. */
export interface MachineLimits {
  /** Memory reads far beyond the caches, 10^9 bytes per second. */
  readonly readGBs: number;
  /** 8-bit integer dot products, 10^9 operations per second; a product and a sum are two. */
  readonly int8Gops: number;
  /** float32 multiply-adds, 10^9 operations per second; a product and a sum are two. */
  readonly f32Gflops: number;
}

const READ_BYTES = 2 ** 28;
/** As in probes.inc.h: pieces a thread, bytes of a read step, bytes of an operand, sums of a piece. */
const PIECES = 16;
const READ_STEP = 256;
const OPERAND_BYTES = 8192;
const SUMS = 256;
/** A run of a probe takes at least so long, and the best of so many counts. */
const RUN_SECONDS = 0.01;
const RUNS = 40;

export async function probe(
  addon: Addon,
  instructionSet: InstructionSet,
  threads: number,
): Promise<MachineLimits> {
  const device = openDevice(addon, instructionSet, threads);
  const storages: Storage[] = [];
  /** Memory full of small numbers, which are neither zero nor denormal as floats. */
  const filled = (bytes: number): Storage => {
    const storage = device.upload(new Uint8Array(bytes).fill(1));
    storages.push(storage);
    return storage;
  };
  try {
    const sums = filled(PIECES * threads * SUMS * 4);
    const operand = filled(OPERAND_BYTES);
    const int8Gops = await bestRate(device, 'probe_int8', [operand, sums], 2 ** 24);
    const f32Gflops = await bestRate(device, 'probe_f32', [operand, sums], 2 ** 24);
    const step = PIECES * threads * READ_STEP;
    const bytes = Math.ceil(READ_BYTES / step) * step;
    const readGBs = await bestRate(device, 'probe_read', [filled(bytes), sums], bytes, bytes);
    return { readGBs, int8Gops, f32Gflops };
  } finally {
    for (const storage of storages) device.release(storage);
    device.close();
  }
}

/**
 * The best rate of a few runs, in 10^9 per second.
 *
 * @param amount - operations or bytes of the first run; later runs do more until they take long enough
 * @param most - what one run can do
 */
async function bestRate(
  device: Device<Storage>,
  kernel: string,
  operands: readonly Storage[],
  amount: number,
  most = Infinity,
): Promise<number> {
  const seconds = async (wanted: number): Promise<number> => {
    const began = performance.now();
    device.run(kernel, operands, [wanted]);
    await device.synchronize();
    return (performance.now() - began) / 1000;
  };
  let wanted = amount;
  while (wanted < most && (await seconds(wanted)) < RUN_SECONDS) wanted *= 2;
  let least = Infinity;
  for (let run = 0; run < RUNS; run++) least = Math.min(least, await seconds(wanted));
  return wanted / least / 1e9;
}
