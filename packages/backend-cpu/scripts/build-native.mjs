// Compiles the addon into native/build/Release where there is a C++ compiler; says so in one sentence where there is none.
// The package works without it, in so far as `createCpuBackend` then explains what is missing.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { nodeHeaders } from './node-headers.mjs';

// Not the package's root: a binding.gyp there would make every npm install compile, or fail.
const native = fileURLToPath(new URL('../native', import.meta.url));
const [compiler] = (process.env.CXX ?? (process.platform === 'darwin' ? 'c++' : 'g++')).split(' ');

if (process.platform !== 'win32' && spawnSync(compiler, ['--version']).status !== 0) {
  console.log(`@spikellm/backend-cpu: no C++ compiler (${compiler}), so the native addon is not built.`);
  process.exit(0);
}

const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const { status } = spawnSync(
  process.execPath,
  [gyp, 'configure', 'build', '--loglevel=error', ...nodeHeaders()],
  {
    cwd: native,
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
// A clone without its tools still works, on the reference backend; a check of the project must not pass without it.
if (status !== 0) {
  console.error('@spikellm/backend-cpu: the native addon did not compile; the lines above say why.');
  process.exitCode = process.env.CI ? 1 : 0;
}
