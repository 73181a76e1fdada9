/** One case on one backend: data from the case, a dispatch, and what it wrote. */
import {
  attributeDims,
  firstDifference,
  newElements,
  operandDims,
  resolveType,
  type Backend,
  type DeviceTensor,
  type ElementArray,
  type ElementType,
  type HostTensor,
  type KernelName,
  type KernelRow,
  type Dims,
  type Operand,
  type Tolerance,
} from '@spikellm/backend';
import type { Case } from './cases.ts';
import { createRandom } from './random.ts';
import { fillOf, recipeOf } from './recipes.ts';

/** A host tensor whose data may be written. */
export interface Elements {
  readonly type: ElementType;
  readonly data: ElementArray;
  readonly dims: readonly number[];
}
export type Tensors = Readonly<Record<string, Elements>>;

/** A case with its data, which may be run any number of times. */
export interface Filled {
  readonly of: Case;
  readonly dims: Dims;
  readonly scalars: Dims;
  readonly operands: Tensors;
}

/** The operands that exist in a case: all but the optional ones that it leaves out. */
const present = ({ optional, row }: Case): [string, Operand][] =>
  Object.entries(row.operands).filter(([name, operand]) => !operand.optional || optional.includes(name));

export function fill(theCase: Case): Filled {
  const { kernel, row, attributes, sizes, style } = theCase;
  const named: Dims = { ...sizes, ...attributeDims(row, attributes) };
  const scalars = Object.fromEntries(row.scalars.map((name) => [name, sizes[name]]));
  const random = createRandom(`${kernel} ${theCase.id} data`);
  const filled: Record<string, ElementArray> = {};
  const operands: Record<string, Elements> = {};
  for (const [name, operand] of inOrderOfNeed(present(theCase))) {
    const type = resolveType(operand.type, attributes);
    const dims = operandDims(operand, named);
    const columns = dims[dims.length - 1];
    const rows = dims.slice(0, -1).reduce((product, dim) => product * dim, 1);
    const data = newElements(type, rows * columns);
    if (operand.role === 'output') {
      // Not zeros: what a kernel forgets to write must show.
      data.fill(type === 'float32' ? Number.NaN : 0xaa);
    } else {
      const value = fillOf(
        kernel,
        name,
        type,
      )({ name, rows, columns, style, dims: named, attributes, random, filled });
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) data[r * columns + c] = value(r, c);
      }
    }
    filled[name] = data;
    operands[name] = { type, dims, data };
  }
  return { of: theCase, dims: named, scalars, operands };
}

/** Constants first: codes are filled with an eye on the steps. */
const inOrderOfNeed = (operands: [string, Operand][]): [string, Operand][] => [
  ...operands.filter(([, { role }]) => role === 'constant'),
  ...operands.filter(([, { role }]) => role !== 'constant'),
];

/** What the call leaves in its outputs and states. */
export type Results = Readonly<Record<string, ElementArray>>;

/** Runs a case; leaves nothing alive on the backend. */
export async function run(backend: Backend, { of, scalars, operands }: Filled): Promise<Results> {
  const resources: { dispose(): void }[] = [];
  const keep = <T extends { dispose(): void }>(resource: T): T => {
    resources.push(resource);
    return resource;
  };
  try {
    const constants: Record<string, HostTensor | DeviceTensor> = {};
    const tensors: Record<string, DeviceTensor> = {};
    for (const [name, tensor] of Object.entries(operands)) {
      if (of.row.operands[name].role !== 'constant') tensors[name] = keep(backend.upload(tensor));
      else constants[name] = of.constants === 'device' ? keep(backend.upload(tensor)) : tensor;
    }
    const prepared = keep(
      backend.prepare(of.kernel as KernelName, of.attributes as never, constants as never),
    );
    backend.dispatch(prepared, tensors, scalars);
    return await readWritten(backend, of.row, tensors);
  } finally {
    for (const resource of resources) resource.dispose();
  }
}

/** Outputs and states of a call. */
export async function readWritten(
  backend: Backend,
  row: KernelRow,
  tensors: Readonly<Record<string, DeviceTensor>>,
): Promise<Results> {
  const written = Object.entries(tensors).filter(([name]) => isWritten(row, name));
  const read = await Promise.all(
    written.map(async ([name, tensor]) => [name, (await backend.read(tensor)).data as ElementArray] as const),
  );
  return Object.fromEntries(read);
}

const isWritten = (row: KernelRow, name: string): boolean =>
  ['output', 'state'].includes(row.operands[name].role);

/** The first thing in which results differ from what is wanted, in a sentence; whole numbers must be equal. */
export function difference(
  { of, dims: named, scalars, operands }: Filled,
  got: Results,
  want: Readonly<Record<string, ArrayLike<number>>>,
  tolerance: Tolerance = of.row.tolerance,
): string | undefined {
  const exact: Tolerance = { absolute: 0, relative: 0, ofLargest: 0 };
  for (const name of Object.keys(want)) {
    const { type, dims } = operands[name];
    const liveRows = recipeOf(of.kernel).liveRows?.[name]?.(named, scalars);
    const length = liveRows === undefined ? want[name].length : liveRows * dims[1];
    if (got[name]?.length !== want[name].length) {
      return `${name} has ${got[name]?.length} elements, expected ${want[name].length}`;
    }
    const wanted = Array.from(want[name]).slice(0, length);
    const found = firstDifference(got[name], wanted, type === 'float32' ? tolerance : exact);
    if (found !== undefined) {
      const { index, got: is, want: should, allowed } = found;
      return `${name}[${index}] of [${dims.join(', ')}] is ${is}, expected ${should} within ${allowed}`;
    }
  }
  return undefined;
}
