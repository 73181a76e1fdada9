import type { ElementType } from './elements.ts';
import type { Tolerance } from './tolerance.ts';
import type { DeviceTensor, HostTensor } from './tensor.ts';
import type { SpikeErrorParts } from './errors.ts';

/**
 * Dims of the symbolic shapes, the same in every row, docstring and error:
 * N tokens of this call, P positions a cache can hold, C input channels, O output channels, V vocabulary,
 * H query heads, K key/value heads, D channels of a head, S classes of spike steps.
 */
export type Dims = Readonly<Record<string, number>>;

/** A dimension: a letter, a product such as `'H*D'`, or a function of the letters bound before it. */
export type Dimension = string | ((dims: Dims) => number);

/**
 * What an operand is for:
 * - `input`: read;
 * - `state`: read and written in place, it outlives the call (caches, running sums);
 * - `output`: written completely;
 * - `constant`: given once to `prepare`, which may pack it; never seen by `dispatch`.
 */
export type Role = 'input' | 'state' | 'output' | 'constant';

/** An element type, or the one that the attributes ask for. */
export type OperandType = ElementType | ((attributes: never) => ElementType);

export interface Operand<R extends Role = Role, Optional extends boolean = boolean> {
  readonly role: R;
  readonly type: OperandType;
  readonly dims: readonly Dimension[];
  readonly optional: Optional;
  /** Throws for values outside the operand's domain. Called for constants that come from the host. */
  readonly checkValues?: (values: ArrayLike<number>, attributes: never, where: string) => void;
}

type Make<R extends Role> = (type: OperandType, dims: readonly Dimension[]) => Operand<R, false>;
const make =
  <R extends Role>(role: R): Make<R> =>
  (type, dims) => ({ role, type, dims, optional: false });

export const input = make('input');
export const state = make('state');
export const output = make('output');
export const constant = make('constant');
export const optional = <R extends Role>(operand: Operand<R, false>): Operand<R, true> => ({
  ...operand,
  optional: true,
});

/** What is wrong with a call: the two halves of its error sentence. */
export type Violation = Pick<SpikeErrorParts, 'expected' | 'received'>;

/** The domain of an attribute: what is accepted, and how the error names it. */
export interface Domain<T> {
  readonly expected: string;
  readonly accepts: (value: unknown) => value is T;
}

/**
 * One row of the kernel table: everything a backend, a test and a reader need to know about a kernel.
 *
 * - `formula`: what it computes, in one or a few lines. The reference backend is the definition.
 * - `attributes`: fixed at `prepare`. An attribute that is named like a letter binds that letter; `dims` may
 *   derive more.
 * - `scalars`: whole numbers >= 0 given at each dispatch.
 * - `check`: what shapes alone cannot say.
 * - `tolerance`: how far another backend may be from the reference. Integer outputs are always compared for equality.
 */
export interface KernelRow {
  readonly formula: string;
  readonly source: string;
  readonly operands: Readonly<Record<string, Operand>>;
  readonly attributes: Readonly<Record<string, Domain<unknown>>>;
  readonly scalars: readonly string[];
  readonly tolerance: Tolerance;
  readonly dims?: (attributes: never) => Dims;
  readonly check?: (dims: Dims, attributes: never, scalars: Dims) => Violation | undefined;
}

/** Keeps the literal types of a row, so that operand and attribute names are checked wherever it is used. */
export const kernel = <const Row extends KernelRow>(row: Row): Row => row;

type Domains<Row extends KernelRow> = Row['attributes'];
export type Attributes<Row extends KernelRow = KernelRow> = {
  readonly [Name in keyof Domains<Row>]: Domains<Row>[Name] extends Domain<infer T> ? T : never;
};
export type Scalars<Row extends KernelRow = KernelRow> = Readonly<Record<Row['scalars'][number], number>>;

type Named<Row extends KernelRow, R extends Role, Optional extends boolean, T> = {
  readonly [
    Name in keyof Row['operands'] as Row['operands'][Name] extends Operand<R, Optional> ? Name : never
  ]: T;
};
type Given<Row extends KernelRow, R extends Role, T> = Named<Row, R, false, T> &
  Partial<Named<Row, R, true, T | undefined>>;

/** Operands that `prepare` takes. A tensor already on the device is borrowed, not copied. */
export type Constants<Row extends KernelRow = KernelRow> = Given<Row, 'constant', HostTensor | DeviceTensor>;
/** Operands that exist before the call. */
export type Inputs<Row extends KernelRow = KernelRow> = Given<Row, 'input' | 'state', DeviceTensor>;
export type Outputs<Row extends KernelRow = KernelRow> = Given<Row, 'output', DeviceTensor>;
/** Operands that `dispatch` takes. */
export type Operands<Row extends KernelRow = KernelRow> = Inputs<Row> & Outputs<Row>;
