import { readMembers, root } from '@spikellm/boundaries/workspace';
import { findChromium } from '@spikellm/browser/chromium';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundlers } from '../src/bundlers.ts';
import { titleOf } from '../src/page.ts';
import { archiveOf, linesOf, run, runWithNodeOnly } from '../src/run.ts';

/** The oldest whose users are promised types that compile. */
const OLDEST_TYPESCRIPT = '5.4.5';
const scratch = mkdtempSync(join(tmpdir(), 'spikellm-packed-'));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const published = readMembers('packages', 'apps')
  .filter(({ manifest }) => manifest.private !== true)
  .map(({ folder, manifest }) => ({
    folder,
    name: manifest.name,
    archive: archiveOf(scratch, manifest.name, manifest.version),
    isLibrary: manifest.exports?.['.'] !== undefined,
  }));
const libraries = published.filter(({ isLibrary }) => isLibrary);

async function expectToRun(program: string, ...args: string[]): Promise<void> {
  await expect(run(scratch, program, ...args)).resolves.toEqual(expect.any(String));
}

beforeAll(async () => {
  const filters = published.flatMap(({ name }) => ['--filter', name]);
  await run(root, 'npx', '--yes', packageManager, ...filters, 'pack', '--pack-destination', scratch);
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** A sum by wasm, which is a module and workers, and by WebGPU; the bundled model, quantised in memory, and continued. */
const PAGE = `
  import { createReferenceBackend, createRunner, firstAvailable } from '@spikellm/backend';
  import { createWasmBackend } from '@spikellm/backend-wasm';
  import { createWebGpuBackend } from '@spikellm/backend-webgpu';
  import { DEFAULT_SETTINGS, quantize } from '@spikellm/calibration';
  import { createMemoryFiles, openModelFolder } from '@spikellm/checkpoint';
  import { model as assets } from '@spikellm/demo-model';
  import { openModel } from 'spikellm';
  const sums = [];
  for (const candidate of [
    { name: 'wasm', open: () => createWasmBackend({ threads: 2 }) },
    { name: 'webgpu', open: createWebGpuBackend },
  ]) {
    const { backend } = await firstAvailable([candidate, { name: 'reference', open: createReferenceBackend }]);
    const runner = createRunner(backend);
    const [a, b] = [1, 2].map((x) => runner.upload({ type: 'float32', data: Float32Array.of(x), dims: [1, 1] }));
    const { data } = await backend.read(runner.run('add_f32', { a, b }).y);
    sums.push(data[0] + ' by ' + backend.report.device);
  }
  const parts = { 'config.json': assets.config, 'model.safetensors': assets.weights };
  const fetched = Object.entries(parts).map(async ([name, url]) => ['demo/' + name, await (await fetch(url)).blob()]);
  const files = createMemoryFiles(await Promise.all(fetched));
  const model = await openModelFolder('demo', { files });
  const backend = await createWasmBackend({ threads: 2 });
  const settings = { ...DEFAULT_SETTINGS, pipeline: 'smoothquant' };
  await quantize({ model, out: 'out', files, backend, settings, windows: [[1, 2, 3, 4]] });
  const chosen = await Promise.all(Object.entries({ ...parts, 'tokenizer.json': assets.tokenizer }).map(
    async ([name, url]) => new File([await (await fetch(url)).blob()], name),
  ));
  const tales = await openModel(chosen);
  let said = '';
  for await (const text of tales.generate('The king said to his', { maxTokens: 2 })) said += text;
  await tales.close();
  document.title = sums.join(', ') + ', ' + files.blobs('out').size + ' files, ' + tales.backend.name + ' says' + said;
`;
const chromium = findChromium();

describe('packed', () => {
  test.each(published)('$name is built and comes with README and licence', async ({ folder, archive }) => {
    expect(existsSync(join(root, folder, 'dist')), `${folder} has no build yet`).toBe(true);
    const files = linesOf(await run(scratch, 'tar', '-tzf', archive));
    const needed = ['package/LICENSE', 'package/README.md', 'package/dist/index.js'];
    expect(needed.filter((file) => !files.includes(file))).toEqual([]);
    expect(files.filter((file) => /\/(test|node_modules)\/|tsbuildinfo/.test(file))).toEqual([]);
  });

  test.each(published)('$name passes publint', async ({ archive }) => {
    await expectToRun('publint', archive, '--strict');
  });

  test.each(libraries)('$name has types that resolve', async ({ archive }) => {
    await expectToRun('attw', archive, '--profile', 'esm-only', '--no-emoji');
  });
});

describe('installed by npm', () => {
  beforeAll(async () => {
    const dependencies = Object.fromEntries(published.map(({ name, archive }) => [name, `file:${archive}`]));
    const devDependencies = { typescript: OLDEST_TYPESCRIPT };
    const manifest = { name: 'scratch', private: true, type: 'module', dependencies, devDependencies };
    writeFileSync(join(scratch, 'package.json'), JSON.stringify(manifest));
    await run(scratch, 'npm', 'install', '--no-audit', '--no-fund');
  });

  test.each(libraries)('$name exports something to plain Node', async ({ name }) => {
    const script = `console.log(Object.keys(await import('${name}')).join('\\n'))`;
    expect(linesOf(await run(scratch, 'node', '--input-type=module', '--eval', script))).not.toEqual([]);
  });

  test('the types compile in a strict project of somebody else, also of an old TypeScript without types of Node', async () => {
    const imports = libraries.map(({ name }, i) => `export * as a${i} from '${name}';`);
    writeFileSync(join(scratch, 'all.mts'), imports.join('\n'));
    await expectToRun('tsc', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', 'all.mts');
    const compilerOptions = { strict: true, module: 'nodenext', target: 'es2022', noEmit: true, types: [] };
    writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['all.mts'] }));
    await expectToRun('node', join(scratch, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
  });

  test('without a platform package and a compiler, spikellm says what it took instead', async () => {
    const cli = join(scratch, 'node_modules', 'spikellm', 'bin', 'spikellm.js');
    const model = join(scratch, 'node_modules', '@spikellm', 'demo-model', 'model');
    const args = ['generate', model, '--prompt', 'The fox', '--max-tokens', '2'];
    const { stdout, stderr } = await runWithNodeOnly(scratch, 'node', cli, ...args);
    expect(stdout).toMatch(/^The fox/);
    const [passed, taken] = linesOf(stderr);
    expect(passed).toMatch(
      /^backend cpu is not used: .* @spikellm\/backend-cpu-\S+ \(not found\) and .* \(not found\)/,
    );
    expect(taken).toMatch(/^backend wasm: WebAssembly .* \(the first that this machine can run\)$/);
  });

  test('spikellm prints its help', async () => {
    expect(await run(scratch, 'npx', 'spikellm', '--help')).toContain('Usage: spikellm');
  });

  describe('a page that is bundled', () => {
    const app = join(scratch, 'app');
    beforeAll(() => {
      mkdirSync(app);
      writeFileSync(join(app, 'index.html'), '<script type="module" src="./main.js"></script>');
      writeFileSync(join(app, 'main.js'), PAGE);
    });

    test.for(Object.entries(bundlers))('by %s runs in Chromium', async ([name, bundle], { skip }) => {
      skip(chromium === undefined && process.env.CI === undefined, 'no Chromium on this machine');
      const out = join(scratch, name);
      await bundle(app, out);
      const files = readdirSync(out, { recursive: true, encoding: 'utf8' });
      expect(files.filter((file) => /\.node$|backend-cpu/.test(file))).toEqual([]);
      const texts = files
        .filter((file) => file.endsWith('.js'))
        .map((file) => readFileSync(join(out, file), 'utf8'));
      expect(texts.filter((text) => /spikellm_cpu\.node|dawn\.node/.test(text))).toEqual([]);
      expect(await titleOf(out, chromium!)).toMatch(
        /^3 by WebAssembly relaxed SIMD on 2 threads, 3 by WebGPU in software \(.*\), \d+ files, wasm says wife:$/,
      );
    });
  });
});
