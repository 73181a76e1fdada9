/** The compiled kernels beside this file: read in Node, fetched in a browser. */
import { SpikeError } from '@spikellm/backend';
import type { InstructionSet } from './features.ts';

// Every URL is written out, because bundlers look for exactly this form and ship the file that it names.
const assets: Readonly<Record<InstructionSet, { readonly one: URL; readonly threads: URL }>> = {
  simd128: {
    one: new URL('./simd128.wasm', import.meta.url),
    threads: new URL('./simd128-threads.wasm', import.meta.url),
  },
  'relaxed-simd': {
    one: new URL('./relaxed-simd.wasm', import.meta.url),
    threads: new URL('./relaxed-simd-threads.wasm', import.meta.url),
  },
};

/**
 * The module for an instruction set, for one thread or for several.
 *
 * Errors: MISSING (the file cannot be had), UNSUPPORTED (the page's policy refuses WebAssembly).
 */
export async function loadModule(
  instructionSet: InstructionSet,
  threaded: boolean,
): Promise<WebAssembly.Module> {
  const url = assets[instructionSet][threaded ? 'threads' : 'one'];
  const bytes = await readAsset(url);
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    // The engine has the instructions, so a whole file that it refuses is refused by policy.
    const whole = WebAssembly.validate(bytes);
    throw new SpikeError(whole ? 'UNSUPPORTED' : 'MISSING', {
      where: 'backend-wasm',
      expected: whole ? 'a page that may run WebAssembly' : `a WebAssembly module at ${url.href}`,
      received: whole ? (error as Error).message : 'something else',
      remedy: whole
        ? "add 'wasm-unsafe-eval' to script-src of the page's Content-Security-Policy, or choose another backend"
        : 'serve the .wasm files of @spikellm/backend-wasm beside its JavaScript',
      cause: error,
    });
  }
}

async function readAsset(url: URL): Promise<BufferSource> {
  try {
    if (url.protocol === 'file:') {
      const { readFile } = globalThis.process.getBuiltinModule('node:fs/promises');
      return await readFile(url);
    }
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.arrayBuffer();
  } catch (error) {
    throw new SpikeError('MISSING', {
      where: 'backend-wasm',
      expected: `its compiled kernels at ${url.href}`,
      received: (error as Error).message,
      remedy: 'in a clone, run npm run build; in a page, serve the .wasm files of @spikellm/backend-wasm',
      cause: error,
    });
  }
}
