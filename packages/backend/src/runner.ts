/**
 * The convenient way to call kernels: outputs are allocated from the row's shapes, prepared kernels are kept, and
 * intermediate tensors are freed by scope.
 */
import type { Backend, PreparedKernel } from './backend.ts';
import type { DeviceTensor, HostTensor } from './tensor.ts';
import type { Attributes, Constants, Inputs, KernelRow, Dims, Outputs, Scalars } from './kernel.ts';
import type { ElementType } from './elements.ts';
import { createBinder, operandDims, operandsOf, resolveType } from './shapes.ts';
import { kernels, type KernelName, type KernelTable } from './table/index.ts';

type Row<Name extends KernelName> = KernelTable[Name];
type Anything = Readonly<Record<string, unknown>>;

export interface Runner extends Disposable {
  readonly backend: Backend;
  /** As `Backend.upload`; the tensor lives until the runner is disposed. */
  upload(tensor: HostTensor): DeviceTensor;
  /** As `Backend.prepare`; the runner disposes it with itself. */
  prepare<Name extends KernelName>(
    kernel: Name,
    attributes: Attributes<Row<Name>>,
    constants: Constants<Row<Name>>,
  ): PreparedKernel<Name>;
  /** Dispatches a prepared kernel and returns its outputs, newly allocated. */
  apply<Name extends KernelName>(
    prepared: PreparedKernel<Name>,
    inputs: Inputs<Row<Name>>,
    scalars?: Scalars<Row<Name>>,
  ): Outputs<Row<Name>>;
  /** Prepares (once per set of attributes) and applies a kernel that has no constants. */
  run<Name extends KernelName>(
    kernel: Name,
    inputs: Inputs<Row<Name>>,
    attributes?: Attributes<Row<Name>>,
    scalars?: Scalars<Row<Name>>,
  ): Outputs<Row<Name>>;
  /** Runs `body` and frees every tensor that this runner allocated in it, except those that `body` returns. */
  scope<T>(body: () => T): T;
  dispose(): void;
}

interface Output {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
}

/** What the outputs of one kernel's calls are; worked out again when an input changes its shape. */
function createShaper({
  kernel,
  attributes,
  dims: named,
}: PreparedKernel): (inputs: object) => readonly Output[] {
  const row: KernelRow = kernels[kernel];
  const declared = operandsOf(row, ['output']);
  const bind = createBinder(kernel, operandsOf(row, ['input', 'state']), attributes, named);
  let last: Dims | undefined;
  let outputs: readonly Output[] = [];
  return (inputs) => {
    const bound = bind(inputs as never);
    if (bound !== last) {
      outputs = declared.map(([name, operand]) => ({
        name,
        type: resolveType(operand.type, attributes),
        dims: operandDims(operand, bound),
      }));
      last = bound;
    }
    return outputs;
  };
}

/** Whether two sets of attributes say the same; values are numbers, texts and lists of them. */
function sameAttributes(a: Anything, b: Anything): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => sameValue(a[name], b[name]));
}
const sameValue = (a: unknown, b: unknown): boolean =>
  a === b ||
  (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((value, i) => value === b[i]));

export function createRunner(backend: Backend): Runner {
  const prepared = new Map<KernelName, { readonly attributes: Anything; readonly ready: PreparedKernel }[]>();
  const shapers = new WeakMap<object, ReturnType<typeof createShaper>>();
  const owned: { dispose(): void }[] = [];
  let scoped: DeviceTensor[] | undefined;

  function keep<T extends { dispose(): void }>(resource: T): T {
    owned.push(resource);
    return resource;
  }

  function shaperOf(ready: PreparedKernel): ReturnType<typeof createShaper> {
    const shaper = shapers.get(ready) ?? createShaper(ready);
    shapers.set(ready, shaper);
    return shaper;
  }

  const runner: Runner = {
    backend,
    upload: (tensor) => keep(backend.upload(tensor)),

    prepare: (kernel, attributes, constants) => keep(backend.prepare(kernel, attributes, constants)),

    apply(ready, inputs, scalars) {
      const outputs: Record<string, DeviceTensor> = {};
      try {
        for (const { name, type, dims } of shaperOf(ready)(inputs))
          outputs[name] = backend.allocate(type, dims);
        // Two spreads in one literal take several times as long, and every dispatch goes through here.
        const operands = Object.assign({ ...inputs }, outputs);
        backend.dispatch(ready, operands as never, (scalars ?? {}) as never);
      } catch (error) {
        for (const tensor of Object.values(outputs)) tensor.dispose();
        throw error;
      }
      scoped?.push(...Object.values(outputs));
      return outputs as never;
    },

    run(kernel, inputs, attributes, scalars) {
      const wanted = attributes ?? ({} as never);
      const known = prepared.get(kernel) ?? [];
      let found = known.find((candidate) => sameAttributes(candidate.attributes, wanted));
      if (found === undefined) {
        const ready: PreparedKernel = runner.prepare(kernel, wanted, {} as never);
        found = { attributes: structuredClone(wanted), ready };
        prepared.set(kernel, [...known, found]);
      }
      return runner.apply(found.ready as PreparedKernel<typeof kernel>, inputs, scalars);
    },

    scope(body) {
      const outer = scoped;
      const inner: DeviceTensor[] = [];
      scoped = inner;
      try {
        const result = body();
        const kept = new Set(
          result !== null && typeof result === 'object' ? [result, ...Object.values(result)] : [],
        );
        for (const tensor of inner) {
          if (kept.has(tensor)) outer?.push(tensor);
          else tensor.dispose();
        }
        return result;
      } catch (error) {
        for (const tensor of inner) tensor.dispose();
        throw error;
      } finally {
        scoped = outer;
      }
    },

    dispose() {
      for (const resource of owned) resource.dispose();
      owned.length = 0;
      prepared.clear();
    },
    [Symbol.dispose]: () => runner.dispose(),
  };
  return runner;
}
