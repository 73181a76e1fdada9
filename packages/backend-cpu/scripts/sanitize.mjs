// Compiles the addon with AddressSanitizer and UndefinedBehaviorSanitizer, or with ThreadSanitizer for --thread, and runs
// every conformance case on it, for each instruction set and one and two threads. Needs Linux and GCC; exits with 1 where
// a sanitizer or a case complains.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'spikellm-sanitized-'));
process.on('exit', () => rmSync(out, { recursive: true }));
const thread = process.argv.includes('--thread');
const sanitizers = thread
  ? ['-fsanitize=thread']
  : ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];
const common = ['-std=c++17', '-O1', '-g', '-fPIC', '-ffp-contract=off', '-w', '-DNAPI_VERSION=8'];
const includes = [
  '-Inative',
  '-I../native-kernels/native',
  `-I${join(dirname(process.execPath), '..', 'include', 'node')}`,
];
const avx2 = ['-mavx2', '-mfma', '-mf16c'];
const avx512 = [...avx2, ...['f', 'bw', 'dq', 'vl', 'vnni'].map((part) => `-mavx512${part}`)];
const sources = {
  addon: [],
  completions: [],
  device: [],
  instruction_sets: [],
  memory: [],
  pages: [],
  pool: [],
  slabs: [],
  'kernels/scalar': [],
  'kernels/avx2': avx2,
  'kernels/avx512': avx512,
};

run('npx', ['tsc', '-b']);
const objects = Object.entries(sources).map(([name, flags]) => {
  const object = join(out, `${name.replace('/', '_')}.o`);
  console.log(`compile ${name}`);
  run('g++', [...sanitizers, ...common, ...includes, ...flags, '-c', `native/${name}.cc`, '-o', object]);
  return object;
});
const addon = join(out, 'spikellm_cpu.node');
run('g++', [...sanitizers, '-shared', ...objects, '-o', addon]);
const library = (name) => run('g++', [`-print-file-name=${name}.so`], 'pipe').trim();
// Node itself is not compiled this way: what it does among its own threads is not seen whole.
const suppressions = join(out, 'suppressions');
writeFileSync(suppressions, 'race:^v8::\nrace:^node::\n');
run(process.execPath, ['scripts/run-cases.mjs', addon], 'inherit', {
  LD_PRELOAD: (thread ? ['libtsan'] : ['libasan', 'libubsan']).map(library).join(':'),
  // Node itself is not built to free everything at its end.
  ASAN_OPTIONS: 'detect_leaks=0',
  TSAN_OPTIONS: `suppressions=${suppressions}`,
});

function run(command, args, stdout = 'inherit', env = {}) {
  const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', stdout, 'inherit'] };
  const result = spawnSync(command, args, { ...options, env: { ...process.env, ...env } });
  if (result.status !== 0) process.exit(1);
  return result.stdout;
}
