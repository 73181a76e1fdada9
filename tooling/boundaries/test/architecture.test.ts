import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseArrows } from '../src/arrows.ts';
import { importsOf, packageOf } from '../src/imports.ts';
import { cycles, undeclaredImports, undrawnDependencies } from '../src/rules.ts';
import { readMembers, root, type Member } from '../src/workspace.ts';

function member(folder: string, dependencies: string[], source = '', devDependencies: string[] = []): Member {
  const versions = (names: string[]) => Object.fromEntries(names.map((name) => [name, 'workspace:*']));
  return {
    folder,
    manifest: {
      name: `@x/${folder.split('/')[1]}`,
      version: '0.0.0',
      dependencies: versions(dependencies),
      devDependencies: versions(devDependencies),
    },
    sources: [{ path: `${folder}/src/index.ts`, text: source }],
  };
}

describe('this workspace', () => {
  const arrows = parseArrows(readFileSync(join(root, 'docs/architecture.md'), 'utf8'));
  const members = readMembers('packages', 'apps');
  const tooling = readMembers('tooling');

  test('has source files to look at', () => {
    expect(members.filter(({ sources }) => sources.length > 0).length).toBeGreaterThan(3);
  });

  test('has only dependencies that are drawn', () => {
    expect(undrawnDependencies([...members, ...tooling], arrows)).toEqual([]);
  });

  test('imports only what each package declares', () => {
    expect(undeclaredImports(members)).toEqual([]);
  });

  test('has no cycle, tooling and dependencies of tests included', () => {
    expect(cycles([...members, ...tooling])).toEqual([]);
  });
});

describe('arrows', () => {
  test('are read from the fenced block', () => {
    const arrows = parseArrows('text\n```arrows\na <- b, c\n\nb <- c\n```\na <- z\n');
    expect(arrows).toEqual(
      new Map([
        ['b', new Set(['a'])],
        ['c', new Set(['a', 'b'])],
      ]),
    );
  });

  test('must be there and be arrows', () => {
    expect(() => parseArrows('a <- b')).toThrow('fenced');
    expect(() => parseArrows('```arrows\na -> b\n```')).toThrow('not an arrow: a -> b');
  });
});

describe('the rules', () => {
  const arrows = parseArrows('```arrows\nbase <- top\n```');

  test('refuse a dependency that is not drawn', () => {
    const members = [member('packages/base', ['@x/top']), member('packages/top', ['@x/base', 'elsewhere'])];
    expect(undrawnDependencies(members, arrows)).toEqual(['packages/base depends on top: no such arrow']);
  });

  test('let apps import all packages, and nobody an app', () => {
    const members = [member('packages/base', ['@x/cli']), member('apps/cli', ['@x/base'])];
    expect(undrawnDependencies(members, arrows)).toEqual(['packages/base depends on cli: no such arrow']);
  });

  test('leave concrete backends to the apps and to llm even where an arrow is drawn', () => {
    const drawn = parseArrows('```arrows\nbackend-cpu <- top, llm\n```');
    const members = [
      member('packages/backend-cpu', []),
      member('packages/top', ['@x/backend-cpu']),
      member('packages/llm', ['@x/backend-cpu']),
      member('apps/cli', ['@x/backend-cpu']),
    ];
    expect(undrawnDependencies(members, drawn)).toEqual([
      'packages/top depends on backend-cpu: no such arrow',
    ]);
  });

  test('leave private tooling to private packages', () => {
    const top = member('packages/top', ['@x/numbers']);
    const numbers = member('tooling/numbers', []);
    const hidden = { ...top, manifest: { ...top.manifest, private: true } };
    expect(undrawnDependencies([top, numbers], arrows)).toEqual([
      'packages/top depends on numbers: no such arrow',
    ]);
    expect(undrawnDependencies([hidden, numbers], arrows)).toEqual([]);
  });

  test('refuse an import that is not declared, or declared for tests only', () => {
    const source = `import { a } from '@x/base/deep'; import fs from 'node:fs'; import b from './b.ts';`;
    expect(undeclaredImports([member('packages/top', ['@x/base'], source)])).toEqual([]);
    expect(undeclaredImports([member('packages/top', [], source, ['@x/base'])])).toEqual([
      'packages/top/src/index.ts imports @x/base/deep: not a dependency of @x/top',
    ]);
  });

  test('refuse an import by condition that the package has not', () => {
    const top = member('packages/top', [], `import { host } from '#host';`);
    const imports = { '#host': { node: './dist/node.js', default: './dist/web.js' } };
    expect(undeclaredImports([{ ...top, manifest: { ...top.manifest, imports } }])).toEqual([]);
    expect(undeclaredImports([top])).toEqual([
      'packages/top/src/index.ts imports #host: not a dependency of @x/top',
    ]);
  });

  test('refuse a relative import into another package', () => {
    const source = `export * from '../../base/src/index.ts';`;
    expect(undeclaredImports([member('packages/top', [], source)])).toEqual([
      'packages/top/src/index.ts imports ../../base/src/index.ts: not a dependency of @x/top',
    ]);
  });

  test('find a cycle through the dependencies of tests', () => {
    const members = [member('packages/a', ['@x/b']), member('packages/b', [], '', ['@x/a'])];
    expect(cycles(members)).toEqual(['@x/a -> @x/b -> @x/a']);
    expect(cycles([member('packages/a', ['@x/b']), member('packages/b', [])])).toEqual([]);
  });
});

describe('imports', () => {
  test('of every kind are seen, those in comments and strings are not', () => {
    const source = `
      /** import e from 'comment'; */
      import a, { type B } from 'a';
      import type { C } from 'c';
      export { d } from 'd';
      export * from 'e/sub';
      const f = await import('f');
      type G = import('g').G;
      const text = "import h from 'h'";
      export { a };`;
    expect(importsOf('x.ts', source)).toEqual(['a', 'c', 'd', 'e/sub', 'f', 'g']);
  });

  test('belong to a package', () => {
    expect(packageOf('@x/base/deep/file')).toBe('@x/base');
    expect(packageOf('lib/sub')).toBe('lib');
    expect(packageOf('./local.ts')).toBeUndefined();
    expect(packageOf('node:fs')).toBeUndefined();
  });
});
