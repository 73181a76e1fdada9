import { posix } from 'node:path';
import type { Arrows } from './arrows.ts';
import { importsOf, packageOf } from './imports.ts';
import { runtimeDependencies, shortName, type Member } from './workspace.ts';

const concreteBackends: ReadonlySet<string> = new Set(['backend-cpu', 'backend-wasm', 'backend-webgpu']);
/** The package that chooses a backend for who names none; all others take it as a value. */
const CHOOSER = 'llm';

/** Runtime dependencies between workspace packages that no arrow permits. */
export function undrawnDependencies(members: readonly Member[], arrows: Arrows): string[] {
  const byName = new Map(members.map((member) => [member.manifest.name, member]));
  return members.flatMap((member) =>
    runtimeDependencies(member)
      .map((name) => byName.get(name))
      .filter((target) => target !== undefined)
      .filter((target) => !permitted(member, target, arrows))
      .map((target) => `${member.folder} depends on ${shortName(target)}: no such arrow`),
  );
}

function permitted(importer: Member, imported: Member, arrows: Arrows): boolean {
  if (imported.folder.startsWith('apps/')) return false;
  if (imported.folder.startsWith('tooling/')) return importer.manifest.private === true;
  if (!importer.folder.startsWith('packages/')) return true;
  if (concreteBackends.has(shortName(imported)) && shortName(importer) !== CHOOSER) return false;
  return arrows.get(shortName(importer))?.has(shortName(imported)) ?? false;
}

/**
 * Imports of packages that the importing package does not declare, and relative imports that leave its folder.
 * A private package is never installed on its own, so its development dependencies count too.
 */
export function undeclaredImports(members: readonly Member[]): string[] {
  return members.flatMap((member) => {
    const { private: isPrivate, devDependencies } = member.manifest;
    const declared = new Set([
      ...runtimeDependencies(member),
      ...(isPrivate === true ? Object.keys(devDependencies ?? {}) : []),
    ]);
    return member.sources.flatMap(({ path, text }) =>
      importsOf(path, text)
        .filter(
          (specifier) => !isInside(member, path, specifier) && !declared.has(packageOf(specifier) ?? ''),
        )
        .filter((specifier) => !specifier.startsWith('node:'))
        .map((specifier) => `${path} imports ${specifier}: not a dependency of ${member.manifest.name}`),
    );
  });
}

function isInside({ folder, manifest }: Member, path: string, specifier: string): boolean {
  if (specifier.startsWith('#')) return manifest.imports?.[specifier] !== undefined;
  return specifier.startsWith('.') && posix.join(posix.dirname(path), specifier).startsWith(`${folder}/`);
}

/** One sentence per cycle of workspace dependencies, those for development included: no build order exists then. */
export function cycles(members: readonly Member[]): string[] {
  const byName = new Map(members.map((member) => [member.manifest.name, member]));
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    const member = byName.get(name);
    if (member === undefined || done.has(name)) return;
    if (trail.includes(name)) {
      found.push([...trail.slice(trail.indexOf(name)), name].join(' -> '));
      return;
    }
    const next = [...runtimeDependencies(member), ...Object.keys(member.manifest.devDependencies ?? {})];
    for (const dependency of next) visit(dependency, [...trail, name]);
    done.add(name);
  };
  for (const name of byName.keys()) visit(name, []);
  return found;
}
