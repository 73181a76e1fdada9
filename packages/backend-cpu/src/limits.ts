/** Probes of the machine: native/kernels/probes.inc.h, on a session of their own. */
import { SpikeError } from '@spikellm/backend';
import type { Addon, InstructionSet, Session, Storage } from './addon.ts';

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
  const session = addon.open(instructionSet, threads);
  const storages: Storage[] = [];
  /** Memory full of small numbers, which are neither zero nor denormal as floats. */
  const filled = (bytes: number): Storage => {
    const storage = addon.allocate(session, bytes);
    if (storage === undefined) {
      throw new SpikeError('OUT_OF_MEMORY', {
        where: 'measureLimits',
        expected: `${bytes} bytes of memory`,
        received: 'none',
      });
    }
    storages.push(storage);
    addon.write(session, storage, new Uint8Array(bytes).fill(1));
    return storage;
  };
  try {
    const sums = filled(PIECES * threads * SUMS * 4);
    const operand = filled(OPERAND_BYTES);
    const int8Gops = await bestRate(addon, session, 'probe_int8', [operand, sums], 2 ** 24);
    const f32Gflops = await bestRate(addon, session, 'probe_f32', [operand, sums], 2 ** 24);
    const step = PIECES * threads * READ_STEP;
    const bytes = Math.ceil(READ_BYTES / step) * step;
    const readGBs = await bestRate(addon, session, 'probe_read', [filled(bytes), sums], bytes, bytes);
    return { readGBs, int8Gops, f32Gflops };
  } finally {
    for (const storage of storages) addon.release(storage);
    addon.close(session);
  }
}

/**
 * The best rate of a few runs, in 10^9 per second.
 *
 * @param amount - operations or bytes of the first run; later runs do more until they take long enough
 * @param most - what one run can do
 */
async function bestRate(
  addon: Addon,
  session: Session,
  kernel: string,
  operands: readonly Storage[],
  amount: number,
  most = Infinity,
): Promise<number> {
  const place = addon.kernels().indexOf(kernel);
  const seconds = async (wanted: number): Promise<number> => {
    const began = performance.now();
    addon.run(session, place, operands, [wanted]);
    await addon.synchronize(session);
    return (performance.now() - began) / 1000;
  };
  let wanted = amount;
  while (wanted < most && (await seconds(wanted)) < RUN_SECONDS) wanted *= 2;
  let least = Infinity;
  for (let run = 0; run < RUNS; run++) least = Math.min(least, await seconds(wanted));
  return wanted / least / 1e9;
}
