import { posix } from 'node:path';
import { importsOf } from './imports.ts';
import type { Member } from './workspace.ts';

/** Circles of files that import each other inside a package, types included: each once, by its files in order. */
export function fileCircles(members: readonly Member[]): string[] {
  return members.flatMap(({ sources }) => {
    const paths = new Set(sources.map(({ path }) => path));
    const imports = new Map(
      sources.map(({ path, text }) => [
        path,
        importsOf(path, text)
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => posix.join(posix.dirname(path), specifier))
          .filter((target) => paths.has(target)),
      ]),
    );
    return circlesOf(imports);
  });
}

function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path);
    if (at >= 0) {
      circles.add([...above.slice(at), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return [...circles];
}
