import { describe, expect, test } from 'vitest';
import { fileCircles } from '../src/circles.ts';
import { namesOf, strayNames, VALUE_KINDS } from '../src/values.ts';
import { readMembers, type Member } from '../src/workspace.ts';

const members = readMembers('packages', 'apps');
const member = (...sources: [path: string, text: string][]): Member => ({
  folder: 'packages/x',
  manifest: { name: '@x/x', version: '0.0.0' },
  sources: sources.map(([path, text]) => ({ path, text })),
});

describe('this workspace', () => {
  test('has families, pipelines and formats to look for', () => {
    const sources = members.flatMap((each) => each.sources);
    const counts = VALUE_KINDS.map((kind) => namesOf(kind, sources).length);
    expect(counts.every((count) => count >= 2)).toBe(true);
  });

  test('says their names in their own files and registries only', () => {
    expect(strayNames(members)).toEqual([]);
  });

  test('has no circle of files inside a package', () => {
    expect(fileCircles(members)).toEqual([]);
  });
});

describe('the rules', () => {
  const own = ['packages/graph/src/families/a.ts', "export const a = { modelType: 'abc' };"] as [
    string,
    string,
  ];

  test('refuse the name of a value elsewhere, but not in a comment', () => {
    const stray = ['packages/x/src/b.ts', "if (family === 'abc') go();"] as [string, string];
    expect(strayNames([member(own, stray)])).toEqual(["packages/x/src/b.ts says 'abc', a family"]);
    expect(strayNames([member(own, ['packages/x/src/c.ts', "// as 'abc' has it"])])).toEqual([]);
  });

  test('find a circle, types included', () => {
    const circle = fileCircles([
      member(
        ['packages/x/src/a.ts', "import type { B } from './b.ts';"],
        ['packages/x/src/b.ts', "export { a } from './a.ts';"],
      ),
    ]);
    expect(circle).toEqual(['packages/x/src/a.ts -> packages/x/src/b.ts -> packages/x/src/a.ts']);
  });
});
