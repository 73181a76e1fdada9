import type {
  Attributes,
  DeviceTensor,
  KernelName,
  KernelTable,
  Operands,
  PreparedKernel,
  Runner,
  Scalars,
} from '@spikellm/backend';

/**
 * What tapes share from step to step: prepared kernels, and float32 tensors that are not in use. Work runs in the order in
 * which it is dispatched, so a tensor may be written again as soon as its last reader has been dispatched: a step needs no
 * more memory than what is alive in it at one time, however far the device lags behind, and the next step allocates nothing.
 */
export interface Workspace extends Disposable {
  readonly runner: Runner;
  /** A tensor for a kernel to write; what it holds is undefined. */
  readonly take: (dims: readonly number[]) => DeviceTensor;
  /** A tensor that `body` has a kernel write. */
  readonly compute: (dims: readonly number[], body: (y: DeviceTensor) => void) => DeviceTensor;
  /** Ends the use of a tensor: one that was taken is kept for the next, any other is disposed. */
  release(tensor: DeviceTensor): void;
  /** Dispatches a kernel that has no constants. */
  readonly run: <Name extends KernelName>(
    kernel: Name,
    operands: Operands<KernelTable[Name]>,
    attributes?: Attributes<KernelTable[Name]>,
    scalars?: Scalars<KernelTable[Name]>,
  ) => void;
  /** Frees the tensors that are not in use; the runner keeps its kernels. */
  dispose(): void;
}

/** An empty workspace. */
export function createWorkspace(runner: Runner): Workspace {
  const { backend } = runner;
  const prepared = new Map<string, PreparedKernel>();
  const unused = new Map<string, DeviceTensor[]>();
  const taken = new Set<DeviceTensor>();

  const workspace: Workspace = {
    runner,
    take(dims) {
      const tensor = unused.get(dims.join())?.pop() ?? backend.allocate('float32', dims);
      taken.add(tensor);
      return tensor;
    },
    compute(dims, body) {
      const y = workspace.take(dims);
      try {
        body(y);
        return y;
      } catch (error) {
        workspace.release(y);
        throw error;
      }
    },
    release(tensor) {
      if (!taken.delete(tensor)) return tensor.dispose();
      const shape = tensor.dims.join();
      unused.set(shape, [...(unused.get(shape) ?? []), tensor]);
    },
    run(kernel, operands, attributes, scalars) {
      const key = `${kernel} ${JSON.stringify(attributes ?? {})}`;
      const ready = prepared.get(key) ?? runner.prepare(kernel, (attributes ?? {}) as never, {} as never);
      prepared.set(key, ready);
      backend.dispatch(ready as PreparedKernel<typeof kernel>, operands, (scalars ?? {}) as never);
    },
    dispose() {
      for (const tensors of unused.values()) for (const tensor of tensors) tensor.dispose();
      unused.clear();
    },
    [Symbol.dispose]: () => workspace.dispose(),
  };
  return workspace;
}
