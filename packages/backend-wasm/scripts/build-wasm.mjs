// Compiles the kernels to dist/<instruction set>[-threads].wasm with the clang of npm, so that a clone needs no toolchain.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { commands } from '@yowasp/clang';

/** As src/index.ts makes the memory. */
const FIRST_BYTES = 2 ** 20;
const MOST_BYTES = 2 ** 31;
const STACK_BYTES = 2 ** 18;
const root = fileURLToPath(new URL('..', import.meta.url));
const sources = ['kernels', 'module', 'pool'];
const files = {
  native: folder(join(root, 'native')),
  shared: folder(join(root, '..', 'native-kernels', 'native')),
};
const compiler = [
  '--target=wasm32-wasip1',
  '-std=c++17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffp-contract=off',
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
  '-mbulk-memory',
  '-msimd128',
  // Atomic instructions work on memory of one thread too, so that the same objects make both modules.
  '-matomics',
  '-Inative',
  '-Ishared',
];
const linker = [
  '--no-entry',
  '--strip-all',
  '--import-memory',
  `--initial-memory=${FIRST_BYTES}`,
  `--max-memory=${MOST_BYTES}`,
  '--export=__stack_pointer',
  '--stack-first',
  '-z',
  `stack-size=${STACK_BYTES}`,
];
const instructionSets = { simd128: [], 'relaxed-simd': ['-mrelaxed-simd'] };
const memories = {
  '': [],
  // The C library is not compiled for threads; only the thread that opens the module calls it.
  '-threads': ['--shared-memory', '--no-check-features'],
};

mkdirSync(join(root, 'dist'), { recursive: true });
for (const [instructionSet, flags] of Object.entries(instructionSets)) {
  const objects = {};
  for (const source of sources) {
    const object = `${source}.o`;
    const args = [...compiler, ...flags, '-c', `native/${source}.cc`, '-o', object];
    objects[object] = (await commands['clang++'](args, files))[object];
  }
  for (const [suffix, memory] of Object.entries(memories)) {
    const name = `${instructionSet}${suffix}.wasm`;
    const args = [
      ...linker,
      ...memory,
      ...Object.keys(objects),
      '-L/usr/lib/wasm32-wasip1',
      '-lc',
      '-o',
      name,
    ];
    writeFileSync(join(root, 'dist', name), (await commands['wasm-ld'](args, objects))[name]);
  }
}

/** The files of a folder, as the compiler's file system has them. */
function folder(path) {
  return Object.fromEntries(
    readdirSync(path, { withFileTypes: true }).map((entry) => [
      entry.name,
      entry.isDirectory() ? folder(join(path, entry.name)) : readFileSync(join(path, entry.name), 'utf8'),
    ]),
  );
}
