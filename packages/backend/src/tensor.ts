import type { Tensor } from 'onnxruntime-common';
import type { ElementArray, ElementType } from './elements.ts';

/** A tensor in host memory: any object with the shape of onnxruntime-common's `Tensor`. */
export interface HostTensor {
  readonly type: string;
  readonly data: Tensor['data'] | ElementArray;
  readonly dims: readonly number[];
}

/** A tensor in the memory of one backend, alive until it is disposed. */
export interface DeviceTensor extends Disposable {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly disposed: boolean;
  /** Gives the memory back. Work that was dispatched before still sees the tensor. A second call does nothing. */
  dispose(): void;
}
