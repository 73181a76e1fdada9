import { root, type Manifest } from '@spikellm/boundaries/workspace';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveRegistry, type Release } from '../src/registry.ts';
import { archiveOf, linesOf, run, runWithNodeOnly } from '../src/run.ts';

const PLATFORMS = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'linux-x64-musl', 'win32-x64'];
const scratch = mkdtempSync(join(tmpdir(), 'spikellm-platforms-'));
const inScratch = (...path: string[]): string => join(scratch, ...path);
const script = join(root, 'tooling', 'release', 'platforms.mjs');
const addon = join(root, 'packages', 'backend-cpu', 'native', 'build', 'Release', 'spikellm_cpu.node');
const built = existsSync(addon);
const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

let server: Server;
afterAll(() => {
  server?.close();
  rmSync(scratch, { recursive: true });
});

/** `npm pack` of a folder, as a registry knows it. */
async function packed(folder: string): Promise<Release> {
  const manifest = readManifest(folder);
  await run(scratch, 'npm', 'pack', folder, '--silent', '--ignore-scripts');
  return { manifest, archive: archiveOf(scratch, manifest.name, manifest.version) };
}

/** A package of the workspace, as it is published. */
async function unpacked(name: string): Promise<string> {
  const folder = inScratch(name);
  const { version } = readManifest(join(root, 'packages', name));
  await run(
    root,
    'npx',
    '--yes',
    packageManager,
    '--filter',
    `@spikellm/${name}`,
    'pack',
    '--pack-destination',
    scratch,
  );
  mkdirSync(folder);
  await run(
    scratch,
    'tar',
    '-xzf',
    archiveOf(scratch, `@spikellm/${name}`, version),
    '-C',
    folder,
    '--strip-components=1',
  );
  return folder;
}

test('a missing binary is named, and nothing is written', async () => {
  const binaries = inScratch('incomplete');
  mkdirSync(join(binaries, 'linux-x64'), { recursive: true });
  writeFileSync(join(binaries, 'linux-x64', 'spikellm_cpu.node'), '');
  await expect(run(scratch, 'node', script, binaries, inScratch('none'), 'package.json')).rejects.toThrow(
    `for each platform, none for linux-x64-musl, linux-arm64, darwin-arm64, darwin-x64, win32-x64.`,
  );
  expect(existsSync(inScratch('none'))).toBe(false);
});

describe('published', () => {
  const user = inScratch('user');

  beforeAll(async () => {
    for (const platform of PLATFORMS) {
      mkdirSync(inScratch('binaries', platform), { recursive: true });
      const binary = inScratch('binaries', platform, 'spikellm_cpu.node');
      if (built) copyFileSync(addon, binary);
      else writeFileSync(binary, 'no addon');
    }
    const cpu = await unpacked('backend-cpu');
    await run(
      scratch,
      'node',
      script,
      inScratch('binaries'),
      inScratch('platforms'),
      join(cpu, 'package.json'),
    );
    const folders = [
      await unpacked('backend'),
      await unpacked('native-kernels'),
      cpu,
      ...PLATFORMS.map((platform) => inScratch('platforms', platform)),
    ];
    const releases: Release[] = [];
    for (const folder of folders) releases.push(await packed(folder));
    const registry = await serveRegistry(releases);
    server = registry.server;
    mkdirSync(user);
    writeFileSync(join(user, '.npmrc'), `@spikellm:registry=${registry.url}\n`);
    writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }');
    await runWithNodeOnly(
      user,
      'npm',
      'install',
      '@spikellm/backend-cpu',
      '--no-audit',
      '--no-fund',
      '--cache',
      inScratch('cache'),
    );
  });

  test('every platform has a package at the version of the library', () => {
    const { name, version, optionalDependencies } = readManifest(inScratch('backend-cpu'));
    expect(optionalDependencies).toEqual(
      Object.fromEntries(PLATFORMS.map((platform) => [`${name}-${platform}`, version])),
    );
    for (const platform of PLATFORMS) {
      expect(readManifest(inScratch('platforms', platform))).toMatchObject({
        name: `${name}-${platform}`,
        version,
      });
    }
  });

  test.each(PLATFORMS)(
    '%s has the binary, a README and the licence, and passes publint',
    async (platform) => {
      const { name, version } = readManifest(inScratch('platforms', platform));
      const archive = archiveOf(scratch, name, version);
      expect(linesOf(await run(scratch, 'tar', '-tzf', archive)).toSorted()).toEqual(
        ['LICENSE', 'README.md', 'package.json', 'spikellm_cpu.node'].map((file) => `package/${file}`),
      );
      await expect(run(scratch, 'publint', archive, '--strict')).resolves.toEqual(expect.any(String));
    },
  );

  test('npm installs the package of this machine only', () => {
    expect(readdirSync(join(user, 'node_modules', '@spikellm')).toSorted()).toEqual([
      'backend',
      'backend-cpu',
      expect.stringMatching(new RegExp(`^backend-cpu-${process.platform}-${process.arch}(-musl)?$`)),
      'native-kernels',
    ]);
  });

  test('the library runs on it where there is no compiler', async ({ skip }) => {
    skip(!built, 'no C++ compiler has built the addon');
    const program = `
      import { createRunner } from '@spikellm/backend';
      import { createCpuBackend } from '@spikellm/backend-cpu';
      const backend = createCpuBackend({ threads: 2 });
      const runner = createRunner(backend);
      const x = runner.upload({ type: 'float32', data: new Float32Array([1, 2]), dims: [1, 2] });
      const weight = runner.upload({ type: 'float32', data: new Float32Array([3, 4, 5, 6]), dims: [2, 2] });
      console.log(...(await backend.read(runner.run('linear_f32', { x, weight }).y)).data);
      backend.dispose();`;
    const { stdout } = await runWithNodeOnly(user, 'node', '--input-type=module', '--eval', program);
    expect(stdout).toBe('11 17\n');
  });
});
