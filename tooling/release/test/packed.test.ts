import { readMembers, root } from '@spikellm/boundaries/workspace';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveOf, linesOf, run, runWithNodeOnly } from '../src/run.ts';

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
    const manifest = { name: 'scratch', private: true, type: 'module', dependencies };
    writeFileSync(join(scratch, 'package.json'), JSON.stringify(manifest));
    await run(scratch, 'npm', 'install', '--no-audit', '--no-fund');
  });

  test.each(libraries)('$name exports something to plain Node', async ({ name }) => {
    const script = `console.log(Object.keys(await import('${name}')).join('\\n'))`;
    expect(linesOf(await run(scratch, 'node', '--input-type=module', '--eval', script))).not.toEqual([]);
  });

  test('the types compile in a strict project of somebody else', async () => {
    const imports = libraries.map(({ name }, i) => `export * as a${i} from '${name}';`);
    writeFileSync(join(scratch, 'all.mts'), imports.join('\n'));
    await expectToRun('tsc', '--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', 'all.mts');
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
    expect(taken).toMatch(/^backend reference: .* \(the first that this machine can run\)$/);
  });

  test('spikellm prints its help', async () => {
    expect(await run(scratch, 'npx', 'spikellm', '--help')).toContain('Usage: spikellm');
  });
});
