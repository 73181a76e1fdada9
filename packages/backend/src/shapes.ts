import { showDims, type ElementType } from './elements.ts';
import { SpikeError } from './errors.ts';
import type { Dimension, KernelRow, Dims, Operand, OperandType, Role } from './kernel.ts';

interface Shaped {
  readonly type: string;
  readonly dims: readonly number[];
}
type Bound = Record<string, number>;

/** The value of a dimension, or undefined while one of its dims is unbound. */
function evaluate(dimension: Dimension, named: Dims): number | undefined {
  if (typeof dimension === 'function') return dimension(named);
  let product = 1;
  for (const letter of dimension.split('*')) {
    if (!(letter in named)) return undefined;
    product *= named[letter];
  }
  return product;
}

const showDimension = (dimension: Dimension, named: Dims): string | number =>
  evaluate(dimension, named) ?? (dimension as string);

export const resolveType = (type: OperandType, attributes: object): ElementType =>
  typeof type === 'function' ? type(attributes as never) : type;

/** Dims that the attributes bind: those of the same name, and those that the row derives. */
export function attributeDims(row: KernelRow, attributes: object): Bound {
  const named: Bound = { ...row.dims?.(attributes as never) };
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'number') named[name] = value;
  }
  return named;
}

/** Checks one operand against its row and binds the dims that it is the first to show. */
function bindOperand(
  where: string,
  name: string,
  operand: Operand,
  tensor: Shaped,
  attributes: object,
  named: Bound,
): void {
  const type = resolveType(operand.type, attributes);
  if (tensor.type !== type) {
    throw new SpikeError('DTYPE', { where, expected: `${name} of type ${type}`, received: tensor.type });
  }
  const shapeError = (): SpikeError => {
    const dims = operand.dims.map((dimension) => showDimension(dimension, named));
    return new SpikeError('SHAPE', {
      where,
      expected: `${name} of ${showDims(dims)}`,
      received: showDims(tensor.dims),
    });
  };
  if (tensor.dims.length !== operand.dims.length) throw shapeError();
  for (const [axis, dimension] of operand.dims.entries()) {
    const size = evaluate(dimension, named);
    if (size === undefined) {
      const letter = dimension as string;
      if (letter.includes('*')) throw new Error(`internal: ${where}.${name} binds the product ${letter}`);
      named[letter] = tensor.dims[axis];
    } else if (size !== tensor.dims[axis]) {
      throw shapeError();
    }
  }
}

/** Checks the operands of one call against the row's and binds their dims; refuses missing and unknown ones. */
export function bindOperands(
  where: string,
  declared: readonly [string, Operand][],
  given: Readonly<Record<string, Shaped | undefined>>,
  attributes: object,
  named: Bound,
): void {
  const names = Object.keys(given).filter((name) => given[name] !== undefined);
  refuseUnknown(
    where,
    'operand',
    names,
    declared.map(([name]) => name),
  );
  for (const [name, operand] of declared) {
    const tensor = given[name];
    if (tensor !== undefined) bindOperand(where, name, operand, tensor, attributes, named);
    else if (!operand.optional) {
      throw new SpikeError('INVALID_ARGUMENT', { where, expected: `operand ${name}`, received: 'nothing' });
    }
  }
}

/** Checks the operands of one call and says what the dims are. */
export type Binder = (given: Readonly<Record<string, Shaped | undefined>>) => Dims;

/**
 * A binder for call after call of one kernel. Shapes seldom change from call to call: operands of the types and dims of
 * the last call have its dims, the same object, and are not checked again.
 *
 * @param bound - dims that attributes and constants bind
 */
export function createBinder(
  where: string,
  declared: readonly [string, Operand][],
  attributes: object,
  bound: Dims,
): Binder {
  const names = declared.map(([name]) => name);
  let last: (Shaped | undefined)[] = [];
  let named: Bound | undefined;

  const isAsBefore = (given: Readonly<Record<string, Shaped | undefined>>): boolean => {
    let count = 0;
    for (let i = 0; i < names.length; i++) {
      const tensor = given[names[i]];
      if (!sameShape(tensor, last[i])) return false;
      if (tensor !== undefined) count++;
    }
    for (const name in given) if (given[name] !== undefined) count--;
    return count === 0;
  };

  return (given) => {
    if (named !== undefined && isAsBefore(given)) return named;
    const fresh: Bound = { ...bound };
    bindOperands(where, declared, given, attributes, fresh);
    last = names.map((name) => given[name] && { type: given[name].type, dims: [...given[name].dims] });
    named = fresh;
    return named;
  };
}

function sameShape(a: Shaped | undefined, b: Shaped | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.type !== b.type || a.dims.length !== b.dims.length) return false;
  for (let axis = 0; axis < a.dims.length; axis++) if (a.dims[axis] !== b.dims[axis]) return false;
  return true;
}

/** The operands of a row that have one of these roles, in the row's order. */
export const operandsOf = (row: KernelRow, roles: readonly Role[]): [string, Operand][] =>
  Object.entries(row.operands).filter(([, operand]) => roles.includes(operand.role));

/** The dims of an operand whose dims are all bound. */
export const operandDims = (operand: Operand, named: Dims): number[] =>
  operand.dims.map((dimension) => {
    const size = evaluate(dimension, named);
    if (size === undefined) throw new Error(`internal: unbound dimension ${String(dimension)}`);
    return size;
  });

/** Refuses attributes outside their domains, missing ones and unknown ones. */
export function checkAttributes(where: string, row: KernelRow, attributes: object): void {
  for (const [name, domain] of Object.entries(row.attributes)) {
    const value = (attributes as Record<string, unknown>)[name];
    if (!domain.accepts(value)) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `attribute ${name} to be ${domain.expected}`,
        received: typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'nothing'),
      });
    }
  }
  refuseUnknown(where, 'attribute', Object.keys(attributes), Object.keys(row.attributes));
}

/** Refuses scalars that are missing, unknown or not whole numbers >= 0. */
export function checkScalars(where: string, row: KernelRow, scalars: Readonly<Record<string, number>>): void {
  for (const name of row.scalars) {
    if (!Number.isSafeInteger(scalars[name]) || scalars[name] < 0) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `scalar ${name} to be a whole number of 0 or more`,
        received: String(scalars[name]),
      });
    }
  }
  refuseUnknown(where, 'scalar', Object.keys(scalars), row.scalars);
}

export function refuseUnknown(
  where: string,
  kind: string,
  given: readonly string[],
  known: readonly string[],
): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where,
      expected: known.length === 0 ? `no ${kind}` : `${kind}s among ${known.join(', ')}`,
      received: unknown,
    });
  }
}
