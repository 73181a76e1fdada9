import {
  SpikeError,
  kernels,
  type Backend,
  type ElementArray,
  type HostTensor,
  type KernelName,
} from '@spikellm/backend';
import { casesOf, type Case } from './cases.ts';

export type CreateBackend = () => Backend | Promise<Backend>;

/** Something a backend must do beside its kernels' arithmetic. */
export interface Check {
  readonly name: string;
  /** Kernels that it runs; a backend that skips one of them skips the check. */
  readonly needs: readonly KernelName[];
  /** The case whose data it runs on, for skips of that case. */
  readonly id?: string;
  /** `backend` is shared and must be left as it was; a backend of the check's own comes from `create`. */
  readonly run: (backend: Backend, create: CreateBackend) => Promise<void>;
}

export const casesOfKernel = (kernel: KernelName): Case[] => casesOf(kernel, kernels[kernel]);

/** A float32 host tensor. */
export const float = (data: Iterable<number>, ...dims: number[]): HostTensor & { data: Float32Array } => ({
  type: 'float32',
  data: Float32Array.from(data),
  dims,
});
export const zeros = (...dims: number[]): ReturnType<typeof float> =>
  float(
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 0),
    ...dims,
  );
export const bytes = (data: Iterable<number>, ...dims: number[]): HostTensor => ({
  type: 'uint8',
  data: Uint8Array.from(data),
  dims,
});

export const valuesOf = async (
  backend: Backend,
  tensor: Parameters<Backend['read']>[0],
): Promise<ElementArray> => (await backend.read(tensor)).data as ElementArray;

/** The sentence of the SpikeError that `action` throws or rejects with. */
export async function sentenceOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof SpikeError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
}
