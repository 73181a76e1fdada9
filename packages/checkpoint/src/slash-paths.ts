import type { FileStore } from './store.ts';

/** The parts of a path; the root has none. */
export function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

const resolve = (path: string): string => partsOf(path).join('/');

/** Paths below one root, with '/' between names on every system. */
export const slashPaths: Pick<FileStore, 'join' | 'dirname' | 'resolve' | 'isInside'> = {
  join: (folder, ...names) => resolve([folder, ...names].join('/')),
  dirname: (path) => partsOf(path).slice(0, -1).join('/'),
  resolve,
  isInside(_folder, name) {
    const parts = name.split('/');
    return !name.startsWith('/') && !name.includes('\\') && !parts.includes('..') && resolve(name) !== '';
  },
};
