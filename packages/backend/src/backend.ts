/**
 * The interface that every backend implements and every other package computes through.
 *
 * A backend is a value that is passed in. It owns device memory and runs kernels of the table; it does not know models,
 * neurons or files, does not register itself anywhere, does not change what a kernel means, and does not fall back to
 * another device: what it cannot do it refuses with `UNSUPPORTED`.
 */
import type { Tensor } from 'onnxruntime-common';
import type { ElementType } from './elements.ts';
import type { Attributes, Constants, Dims, Operands, Scalars } from './kernel.ts';
import type { KernelName, KernelTable } from './table/index.ts';
import type { DeviceTensor, HostTensor } from './tensor.ts';

/** A kernel made ready for one set of attributes and constants: weights packed, pipelines compiled. */
export interface PreparedKernel<Name extends KernelName = KernelName> extends Disposable {
  readonly kernel: Name;
  readonly attributes: Attributes<KernelTable[Name]>;
  /** The dims that attributes and constants bind. */
  readonly dims: Dims;
  dispose(): void;
}

/** What a backend runs on, for people and for reports. */
export interface BackendReport {
  /** The device in words: "plain TypeScript on one thread", "AVX-512 VNNI on 2 threads". */
  readonly device: string;
  readonly features: readonly string[];
  readonly threads: number;
}

export interface WaitOptions {
  /** Rejects with the signal's reason where it is aborted by the time the work before has ended or was dropped. */
  readonly signal?: AbortSignal | undefined;
}

export interface Backend extends Disposable {
  readonly name: string;
  readonly report: BackendReport;
  /** Bytes of device memory held by live tensors and prepared kernels. */
  readonly liveBytes: number;

  /** Whether `prepare` takes this kernel, by an implementation of its own or by the kernel's default body. */
  supports(kernel: KernelName): boolean;

  /** Copies a host tensor to the device. Errors: DTYPE, SHAPE (data and dims disagree). */
  upload(tensor: HostTensor): DeviceTensor;

  /** A zero-filled device tensor. */
  allocate(type: ElementType, dims: readonly number[]): DeviceTensor;

  /**
   * Makes a kernel ready. Constants that come from the host are copied or packed, so the caller may drop them;
   * constants that are device tensors are borrowed and must outlive the prepared kernel.
   * Errors: UNSUPPORTED, INVALID_ARGUMENT (attributes), SHAPE, DTYPE.
   */
  prepare<Name extends KernelName>(
    kernel: Name,
    attributes: Attributes<KernelTable[Name]>,
    constants: Constants<KernelTable[Name]>,
  ): PreparedKernel<Name>;

  /**
   * Enqueues one run and returns at once. Runs execute in the order of dispatch: each sees everything that the runs
   * before it wrote. Shapes are checked here; a fault of the device itself shows at the next `read`.
   * An output may not be an input of the same call.
   * Errors: SHAPE, DTYPE, DISPOSED, INVALID_ARGUMENT (scalars, a tensor or kernel of another backend).
   */
  dispatch<Name extends KernelName>(
    prepared: PreparedKernel<Name>,
    operands: Operands<KernelTable[Name]>,
    scalars: Scalars<KernelTable[Name]>,
  ): void;

  /**
   * Runs `body` and ties what it dispatches before it returns to `signal`: from the abort on, runs that have not begun
   * are dropped and the running one stops at its next piece of work. What they would have written is undefined, states
   * included. Work that others dispatch is not touched. Of nested calls the innermost signal counts.
   */
  abortable<T>(signal: AbortSignal | undefined, body: () => T): T;

  /**
   * Waits for the work dispatched so far and lets timers and signals run meanwhile. Long loops call it once a turn, so
   * that the queue stays short and an AbortSignal is seen.
   */
  synchronize(options?: WaitOptions): Promise<void>;

  /** As `synchronize`, then copies the tensor to the host, as it was before any run that is dispatched later. */
  read(tensor: DeviceTensor, options?: WaitOptions): Promise<Tensor>;

  /** Frees everything that is still alive. A second call does nothing. */
  dispose(): void;
}
