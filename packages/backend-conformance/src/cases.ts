/** The cases of a kernel, made from its row of the table. */
import { activations, attributeDims, type KernelRow } from '@spikellm/backend';
import { STYLES, type StyleName } from './data.ts';
import { createRandom, type Random } from './random.ts';
import { recipeOf } from './recipes.ts';

/** A value of each axis: letters, attributes, scalars, optional operands, style of the data. */
export type Choice = Readonly<Record<string, unknown>>;

export interface Case {
  readonly kernel: string;
  readonly row: KernelRow;
  /** The axis that this case is about and its value, such as `N=63`: unique within the kernel, the name for a skip. */
  readonly id: string;
  /** The id and the values of the other axes. */
  readonly title: string;
  readonly attributes: object;
  /** Dims that are bound by shapes, and scalars. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly optional: readonly string[];
  /** Where constants are when `prepare` sees them. */
  readonly constants: 'host' | 'device';
  readonly style: StyleName;
}

/** One, and one less and one more than the lanes of vector units and workgroups: 4, 8, 16, 64, and one past 256. */
const SIZES = [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 257];
/** What the axes take that a case is not about: sizes with work to do, data that no tolerance swallows. */
const USUAL: readonly (readonly [unknown, readonly unknown[]])[] = [
  [257, [2, 3, 5, 8, 17]],
  ['normal', ['normal', 'ties', 'outliers']],
  [2 ** 20, [0, 2, 7]],
  [30, [0, 0, 3]],
];

const SWEPT: Readonly<Record<string, readonly unknown[]>> = {
  N: [0, ...SIZES],
  C: SIZES,
  D: SIZES,
  R: SIZES,
  bits: [1, 2, 4, 8, 12],
  weightBits: [1, 2, 3, 4, 5, 6, 7, 8],
  classes: [[1], [1, 2], [1, 2, 4], [1, 16]],
  range: ['lossless', 'saturating'],
  K: [1, 2, 3],
  H: [1, 2, 4],
  block: [1, 4, 32],
  position: [0, 1, 3, 4, 31, 32, 33, 63, 64],
  eps: [1e-6, 1e-5, 0.1],
  of: activations,
  factor: [-1.5, 0, 0.1, 1, 45.25],
  cap: [0.5, 1, 7, 50],
  window: [0, 1, 2, 7, 40, 2 ** 20],
  softcap: [0, 0.5, 3, 30],
};
/** Candidates for an attribute that has no entry above: those that its domain accepts are taken. */
const CANDIDATES = [1, 2, 3, 4, 8, 1e-6, 0.5, true, false, 'lossless', 'saturating', [1], [1, 2]];

/** The axes of a row and their values. */
function axesOf(kernel: string, row: KernelRow): Map<string, readonly unknown[]> {
  const axes = new Map<string, readonly unknown[]>();
  const valuesOf = (name: string): readonly unknown[] | undefined =>
    recipeOf(kernel).axes?.[name] ?? SWEPT[name];

  for (const [name, domain] of Object.entries(row.attributes)) {
    const values = valuesOf(name) ?? CANDIDATES.filter((candidate) => domain.accepts(candidate));
    if (values.length === 0) {
      throw new Error(`${kernel}: no values known for attribute ${name}; name some in the kernel's recipe`);
    }
    axes.set(name, values);
  }
  const derived = attributeDims(row, choose(axes, createRandom(kernel)));
  for (const operand of Object.values(row.operands)) {
    for (const letter of operand.dims.flatMap((dim) => (typeof dim === 'string' ? dim.split('*') : []))) {
      if (!(letter in derived)) axes.set(letter, valuesOf(letter) ?? SIZES);
    }
  }
  for (const scalar of row.scalars) axes.set(scalar, valuesOf(scalar) ?? [0, 1, 2, 3]);
  for (const [name, operand] of Object.entries(row.operands)) {
    if (operand.optional) axes.set(name, ['given', 'absent']);
  }
  if (Object.values(row.operands).some(({ role }) => role === 'constant'))
    axes.set('constants', ['host', 'device']);
  axes.set('data', Object.keys(STYLES));

  // What hangs together. A cache of P positions has `spare` left; heads H are K groups of `queries`;
  // heads of R pairs have `unturned` channels more; a scale is the
  // part `sharpness` of the usual one, not more: a softmax of large scores is no test of arithmetic.
  if (axes.has('position')) axes.set('spare', [0, 1, 7]).delete('P');
  if (axes.has('K')) axes.set('queries', [1, 2, 4]).delete('H');
  if (axes.has('R')) axes.set('unturned', [0, 1, 6, 40]).delete('D');
  if (axes.has('scale')) axes.set('sharpness', [0.3, 0.7, 1]).delete('scale');
  return axes;
}

/** One value of each axis, a usual one. */
function choose(axes: ReadonlyMap<string, readonly unknown[]>, random: Random): Record<string, unknown> {
  const choice: Record<string, unknown> = {};
  for (const [name, values] of axes) {
    choice[name] = random.pick(USUAL.find(([mark]) => values.includes(mark))?.[1] ?? values);
  }
  return choice;
}

/** The choice with the letters that follow from others. */
function settle({
  spare,
  queries,
  sharpness,
  unturned,
  ...choice
}: Record<string, unknown>): Record<string, unknown> {
  const { N, K, R, position } = choice as Record<string, number>;
  if (spare !== undefined) choice.P = Math.max(1, position + N + (spare as number));
  if (queries !== undefined) choice.H = K * (queries as number);
  if (unturned !== undefined) choice.D = 2 * R + (unturned as number);
  if (sharpness !== undefined) choice.scale = (sharpness as number) / Math.sqrt(choice.D as number);
  return choice;
}

/** For each value of each axis one case about it; its other axes are drawn, the same way every time. */
export function casesOf(kernel: string, row: KernelRow): Case[] {
  const axes = axesOf(kernel, row);
  const about = [...axes].flatMap(([axis, values]) => values.map((value) => ({ [axis]: value })));
  return [...about, ...(recipeOf(kernel).also ?? [])].map((fixed) => {
    const [axis, value] = Object.entries(fixed)[0];
    const id = `${axis}=${show(value)}`;
    const choice = settle({ ...choose(axes, createRandom(`${kernel} ${id}`)), ...fixed });
    return caseOf(kernel, row, id, choice);
  });
}

/** A value of an axis in a name; lists of lists keep apart what they hold. */
const show = (value: unknown): string =>
  Array.isArray(value) && Array.isArray(value[0]) ? value.map(String).join(' | ') : String(value);

function caseOf(kernel: string, row: KernelRow, id: string, choice: Choice): Case {
  const entries = Object.entries(choice);
  const attributes = Object.fromEntries(entries.filter(([name]) => name in row.attributes));
  const sizes = entries.filter(([name, value]) => typeof value === 'number' && !(name in attributes));
  const described = entries.map(([name, value]) => `${name}=${show(value)}`).filter((part) => part !== id);
  return {
    kernel,
    row,
    id,
    title: `${id} (${described.join(' ')})`,
    attributes,
    sizes: Object.fromEntries(sizes) as Record<string, number>,
    optional: Object.keys(row.operands).filter((name) => choice[name] === 'given'),
    constants: choice.constants === 'device' ? 'device' : 'host',
    style: choice.data as StyleName,
  };
}
