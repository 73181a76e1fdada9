import { SpikeError } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { measureLimits, supportedInstructionSets } from '../src/index.ts';

describe('measureLimits', () => {
  it('measures rates that a kernel can be held against, higher ones with wide vectors', async () => {
    const limits = [];
    for (const isa of supportedInstructionSets()) limits.push(await measureLimits({ isa, threads: 1 }));
    const [best] = limits;
    const plain = limits.at(-1)!;
    for (const { readGBs, int8Gops, f32Gflops } of limits) {
      // A probe whose work the compiler had left out would be far above.
      expect(readGBs).toBeGreaterThan(0.1);
      expect(readGBs).toBeLessThan(2000);
      for (const rate of [int8Gops, f32Gflops]) {
        expect(rate).toBeGreaterThan(0.1);
        expect(rate).toBeLessThan(20_000);
      }
    }
    if (best === plain) return;
    expect(best.int8Gops).toBeGreaterThan(plain.int8Gops);
    expect(best.f32Gflops).toBeGreaterThan(plain.f32Gflops);
  }, 60_000);

  it('refuses threads and instruction sets as createCpuBackend does', async () => {
    const refusal = measureLimits({ threads: 0 });
    await expect(refusal).rejects.toThrow(SpikeError);
    await expect(refusal).rejects.toThrow(
      'measureLimits: expected threads to be a whole number from 1 to 1024, received 0.',
    );
    await expect(measureLimits({ isa: 'mmx' as never })).rejects.toThrow('measureLimits, isa: expected');
  });
});
