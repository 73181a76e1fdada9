import { availableParallelism } from 'node:os';
import { SpikeError } from '@spikellm/backend';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCpuBackend, supportedInstructionSets, type InstructionSet } from '../src/index.ts';
import { loadAddon, platformPackage } from '../src/loader.ts';

/** The sentence and code of what `body` throws. */
function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof SpikeError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('createCpuBackend', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('takes the best instruction set and every core by default', () => {
    vi.stubEnv('SPIKELLM_ISA', '');
    using backend = createCpuBackend();
    expect(backend.name).toBe('cpu');
    expect(backend.report.features).toEqual([supportedInstructionSets()[0]]);
    expect(backend.report.threads).toBe(availableParallelism());
  });

  it('takes the instruction set of SPIKELLM_ISA', () => {
    vi.stubEnv('SPIKELLM_ISA', 'scalar');
    using backend = createCpuBackend({ threads: 1 });
    expect(backend.report.device).toBe('plain C++ on 1 thread');
  });

  it.each([0, -1, 1.5, Number.NaN, 1025])('refuses %s threads', (threads) => {
    expect(refusal(() => createCpuBackend({ threads }))).toBe(
      `INVALID_ARGUMENT: createCpuBackend: expected threads to be a whole number from 1 to 1024, received ${threads}.`,
    );
  });

  it('refuses an instruction set that it does not know', () => {
    const own = supportedInstructionSets().join(', ');
    vi.stubEnv('SPIKELLM_ISA', 'avx1024');
    expect(refusal(() => createCpuBackend())).toBe(
      `INVALID_ARGUMENT: SPIKELLM_ISA: expected an instruction set of this machine (${own}), received avx1024.`,
    );
    expect(refusal(() => createCpuBackend({ isa: 'mmx' as InstructionSet }))).toBe(
      `INVALID_ARGUMENT: createCpuBackend, isa: expected an instruction set of this machine (${own}), received mmx.`,
    );
  });
});

describe('loadAddon', () => {
  it('says what was tried, why each failed and what helps', () => {
    const require = (specifier: string): unknown => {
      if (specifier === platformPackage()) {
        throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
      }
      throw new Error('version GLIBC_2.99 not found\nstack');
    };
    expect(refusal(() => loadAddon(require))).toBe(
      `MISSING: backend-cpu: expected its native addon for ${process.platform} ${process.arch}, ` +
        `received ${platformPackage()} (not found) and ../native/build/Release/spikellm_cpu.node (version GLIBC_2.99 not found); ` +
        'in a clone, install a C++ compiler and run npm run build in packages/backend-cpu; ' +
        `elsewhere install ${platformPackage()}, or choose another backend.`,
    );
  });

  it('takes the platform package first', () => {
    const addon = {};
    expect(loadAddon((specifier) => (specifier === platformPackage() ? addon : undefined))).toBe(addon);
  });
});
