/** What a tape is made of. */
import type { DeviceTensor } from '@spikellm/backend';
import type { Workspace } from './workspace.ts';

/** A tensor that a tape knows. */
export interface Value {
  readonly tensor: DeviceTensor;
  /** Whether it is a parameter or computed from one. */
  readonly requiresGrad: boolean;
}

/** What an operation does with the gradients of its inputs. */
export interface Gradients {
  /** Adds a gradient to what other uses of a value [N, C] gave; it may be the `dy` of the operation itself. */
  give(value: Value, gradient: DeviceTensor): void;
  /** The tensor that kernels add the gradient of this value to, zeros at first; undefined where it needs none. */
  into(value: Value | undefined): DeviceTensor | undefined;
}

/** An operation that has run. */
export interface Recorded {
  readonly inputs: readonly (Value | undefined)[];
  /** Values whose tensors `backward` reads. */
  readonly saved: readonly Value[];
  readonly backward: (dy: DeviceTensor, gradients: Gradients) => void;
}

/** What operations need of their tape. */
export interface Recorder {
  readonly workspace: Workspace;
  /** Takes a new tensor over; keeps the operation where one of its inputs requires a gradient. */
  readonly record: (tensor: DeviceTensor, operation: Recorded) => Value;
}
