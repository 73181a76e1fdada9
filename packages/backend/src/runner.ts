/**
 * The convenient way to call kernels: outputs are allocated from the row's shapes, prepared kernels are kept, and
 * intermediate tensors are freed by scope.
 */
import type { Backend, PreparedKernel } from './backend.ts';
import type { DeviceTensor, HostTensor } from './tensor.ts';
import type { Attributes, Constants, Inputs, KernelRow, Outputs, Scalars } from './kernel.ts';
import { bindOperands, operandDims, operandsOf, resolveType } from './shapes.ts';
import { kernels, type KernelName, type KernelTable } from './table/index.ts';

type Row<Name extends KernelName> = KernelTable[Name];

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

export function createRunner(backend: Backend): Runner {
  const prepared = new Map<string, PreparedKernel>();
  const owned: { dispose(): void }[] = [];
  let scoped: DeviceTensor[] | undefined;

  function keep<T extends { dispose(): void }>(resource: T): T {
    owned.push(resource);
    return resource;
  }

  const runner: Runner = {
    backend,
    upload: (tensor) => keep(backend.upload(tensor)),

    prepare: (kernel, attributes, constants) => keep(backend.prepare(kernel, attributes, constants)),

    apply(ready, inputs, scalars) {
      const row: KernelRow = kernels[ready.kernel];
      const { kernel: where, attributes } = ready;
      const letters: Record<string, number> = { ...ready.letters };
      bindOperands(where, operandsOf(row, ['input', 'state']), inputs, attributes, letters);
      const outputs: Record<string, DeviceTensor> = {};
      try {
        for (const [name, operand] of operandsOf(row, ['output'])) {
          const dims = operandDims(operand, letters);
          outputs[name] = backend.allocate(resolveType(operand.type, attributes), dims);
        }
        backend.dispatch(ready, { ...inputs, ...outputs } as never, (scalars ?? {}) as never);
      } catch (error) {
        for (const tensor of Object.values(outputs)) tensor.dispose();
        throw error;
      }
      scoped?.push(...Object.values(outputs));
      return outputs as never;
    },

    run(kernel, inputs, attributes, scalars) {
      const key = `${kernel} ${JSON.stringify(attributes ?? {})}`;
      const ready = prepared.get(key) ?? runner.prepare(kernel, (attributes ?? {}) as never, {} as never);
      prepared.set(key, ready);
      return runner.apply(ready as PreparedKernel<typeof kernel>, inputs, scalars);
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
