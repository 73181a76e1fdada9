import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { foreignNames, longSources, manifestFaults, readmeFaults, repositoryFiles } from '../src/hygiene.ts';
import { readMembers, root, type Manifest } from '../src/workspace.ts';

const members = readMembers('packages', 'apps');
const published = members.filter(({ manifest }) => manifest.private !== true);
const rootManifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe('source files', () => {
  test('have 300 lines or less, never more than 500', () => {
    const { long, tooLong } = longSources(members.flatMap(({ sources }) => sources));
    if (long.length > 0) console.warn(['longer than 300 lines:', ...long].join('\n  '));
    expect(tooLong).toEqual([]);
  });

  test('are counted by line, generated ones left out', () => {
    const source = (lines: number, head = '') => ({ path: `${lines}.ts`, text: head + 'x;\n'.repeat(lines) });
    expect(
      longSources([source(300), source(301), source(500), source(501), source(900, '// @generated ')]),
    ).toEqual({
      long: ['301.ts: 301 lines', '500.ts: 500 lines'],
      tooLong: ['501.ts: 501 lines'],
    });
  });
});

describe('the repository speaks of itself alone', () => {
  test('no text names a path of a machine or the host of a registry', ({ skip }) => {
    const files = repositoryFiles() ?? skip('not a git checkout');
    const texts = files
      .filter((path) => existsSync(join(root, path)))
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
      .filter(({ text }) => !text.includes('\0'));
    expect(texts.length).toBeGreaterThan(50);
    expect(texts.flatMap(({ path, text }) => foreignNames(path, text))).toEqual([]);
  });

  test('such names are found', () => {
    const path = ['', 'home', 'me', 'models'].join('/');
    const host = ['registry', 'example', 'org'].join('.');
    expect(foreignNames('a.md', `see ${path} and https://${host}/x`)).toEqual([
      `a.md names ${path}`,
      `a.md names ${host}`,
    ]);
    expect(
      foreignNames(
        'a.md',
        'https://example.org/home/page.html and ./tmp/x and network/root/y, registry.weights.length',
      ),
    ).toEqual([]);
  });

  test('the lockfile has no address of a package archive', () => {
    const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8');
    expect(lockfile.match(/tarball: *\S+|https?:\/\/\S+\.tgz/g) ?? []).toEqual([]);
  });
});

describe('published packages', () => {
  test('describe themselves in their package.json', () => {
    const nodeRange = rootManifest.engines?.node ?? '';
    expect(nodeRange).toMatch(/^>=\d/);
    expect(published.flatMap(({ folder, manifest }) => manifestFaults(folder, manifest, nodeRange))).toEqual(
      [],
    );
  });

  test('a manifest without the fields is refused', () => {
    const exports = { '.': { default: './dist/index.js', types: './dist/index.d.ts' } };
    const bare = { name: 'x', version: '0.0.0', exports };
    expect(manifestFaults('packages/x', bare, '>=20')).toHaveLength(7);
  });

  test('say in their README what they are, and show it', () => {
    const readmes = published.filter(({ folder }) => existsSync(join(root, folder, 'README.md')));
    expect(readmes).not.toEqual([]);
    const faults = readmes.flatMap(({ folder, manifest }) =>
      readmeFaults(folder, manifest.name, readFileSync(join(root, folder, 'README.md'), 'utf8')),
    );
    expect(faults).toEqual([]);
  });

  test('a README without title, sentence and example is refused', () => {
    expect(readmeFaults('packages/x', '@x/x', '# @x/x\n\nIt does x.\n\n```ts\nx();\n```\n')).toEqual([]);
    expect(readmeFaults('packages/x', '@x/x', '# x\n\n## Use\n\n```ts\n')).toHaveLength(3);
  });
});
