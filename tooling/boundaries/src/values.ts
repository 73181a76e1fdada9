/** Names of values that only their own files and registries may say: whoever else says one has a branch that a registry replaces. */
import type { Member, Source } from './workspace.ts';

/** A kind of value, where its names stand, and which files may say them. */
export interface ValueKind {
  readonly kind: string;
  /** Finds the names: in each file of this folder, what the group of the pattern matches. */
  readonly folder: string;
  readonly name: RegExp;
  /** Paths that may say a name, with the reason. */
  readonly exceptions: readonly { readonly path: string; readonly reason: string }[];
}

export const VALUE_KINDS: readonly ValueKind[] = [
  {
    kind: 'family',
    folder: 'packages/graph/src/families/',
    name: /\bmodelType: '([^']+)'/g,
    exceptions: [
      {
        path: 'packages/checkpoint/src/gguf/',
        reason: 'a registry of its own: what each architecture of GGUF is called',
      },
    ],
  },
  {
    kind: 'pipeline',
    folder: 'packages/calibration/src/pipelines/',
    name: /= pipeline(?:<\w+>)?\(\{\s*name: '([^']+)'/g,
    exceptions: [
      { path: 'apps/cli/src/compare/methods.ts', reason: 'the table of methods: each row is settings' },
      { path: 'packages/calibration/src/baselines/', reason: 'baselines have names of their own' },
    ],
  },
  {
    kind: 'weight format',
    folder: 'packages/graph/src/formats/',
    // `float` means more than a format: keys of the cache, streams and tensors are float too.
    name: /\bkind: '(?!float')([^']+)'/g,
    exceptions: [
      {
        path: 'packages/calibration/src/compensation/',
        reason: 'what weights become is a setting, with a file for each',
      },
      { path: 'apps/cli/src/compare/methods.ts', reason: 'the table of methods: each row is settings' },
      { path: 'packages/neurons/src/', reason: 'a neuron of that name' },
      { path: 'apps/playground/src/rooms/neuron-lab/', reason: 'a neuron of that name' },
      { path: 'packages/benchmark/src/synthetic.ts', reason: 'random weights are made for each format' },
      { path: 'packages/evaluation/src/energy.ts', reason: 'an operation of that name' },
    ],
  },
];

/** The names of a kind. */
export function namesOf({ folder, name }: ValueKind, sources: readonly Source[]): string[] {
  const own = sources.filter(({ path }) => path.startsWith(folder));
  return [...new Set(own.flatMap(({ text }) => Array.from(text.matchAll(name), ([, found]) => found)))];
}

/** Files outside their own folder and the exceptions that say a name as a text of its own. */
export function strayNames(members: readonly Member[]): string[] {
  const sources = members.flatMap((member) => member.sources);
  return VALUE_KINDS.flatMap((kind) => {
    const names = namesOf(kind, sources);
    const allowed = [kind.folder, ...kind.exceptions.map(({ path }) => path)];
    return sources
      .filter(({ path }) => !allowed.some((prefix) => path.startsWith(prefix)))
      .flatMap(({ path, text }) =>
        names
          .filter((name) => new RegExp(`(['"\`])${name}\\1`).test(withoutComments(text)))
          .map((name) => `${path} says '${name}', a ${kind.kind}`),
      );
  });
}

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
