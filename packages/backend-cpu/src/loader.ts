/** Finds the native addon: a prebuilt platform package, or what a clone has compiled. */
import { createRequire } from 'node:module';
import { SpikeError } from '@spikellm/backend';
import type { Addon } from './addon.ts';

export type Require = (specifier: string) => unknown;

/** The platform package of this machine: `@spikellm/backend-cpu-linux-x64`, with `-musl` where libc is musl. */
export function platformPackage(): string {
  return `@spikellm/backend-cpu-${process.platform}-${process.arch}${isMusl() ? '-musl' : ''}`;
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined;
}

/** The first sentence of why something could not be required. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' ? 'not found' : message.split('\n')[0];
}

/** Errors: MISSING, with what was tried, why each failed and the command that helps. */
export function loadAddon(require: Require = createRequire(import.meta.url)): Addon {
  const candidates = [platformPackage(), '../native/build/Release/spikellm_cpu.node'];
  const failures: string[] = [];
  for (const candidate of candidates) {
    try {
      return require(candidate) as Addon;
    } catch (error) {
      failures.push(`${candidate} (${reasonOf(error)})`);
    }
  }
  throw new SpikeError('MISSING', {
    where: 'backend-cpu',
    expected: `its native addon for ${process.platform} ${process.arch}`,
    received: failures.join(' and '),
    remedy:
      'in a clone, install a C++ compiler and run npm run build in packages/backend-cpu; elsewhere install ' +
      `${candidates[0]}, or choose another backend`,
  });
}
