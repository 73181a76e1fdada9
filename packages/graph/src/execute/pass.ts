/** One run of a graph: the values of its edges, and what nodes look up while they run. */
import type { DeviceTensor } from '@spikellm/backend';
import type { Angles } from '../attention/cache.ts';
import type { LayerCache } from '../attention/attention.ts';
import type { Encoding, Spikes } from '../formats/format.ts';
import type { Edge, Graph } from '../ir/nodes.ts';

/**
 * Sees what passes through a decoder. Tensors are alive only during the call; work dispatched on them then is safe.
 */
export interface Observers {
  /** x [N, C] that the linears of a site read; see `inputSites` for its names. */
  input?(layer: number, site: string, x: DeviceTensor): void;
  /** q [N, H D] and k [N, K D] after RoPE, v [N, K D]. */
  attention?(layer: number, q: DeviceTensor, k: DeviceTensor, v: DeviceTensor): void;
}

/** Where in a text a call stands. */
export interface Position {
  readonly position: number;
  readonly angles: Readonly<Record<string, Angles>>;
}

export interface Pass extends Position {
  /** By slot of the edge. */
  readonly values: DeviceTensor[];
  readonly cache: LayerCache;
  readonly observers: Observers | undefined;
  /** Inputs that have been encoded in this pass. */
  readonly spikes: Map<Encoding, Spikes>;
}

/** One node, or several that a kernel fuses, ready to run. */
export type Step = (pass: Pass) => void;

/** Numbers the edges of a graph. */
export function slotsOf({ input, nodes }: Graph): (edge: Edge) => number {
  const slots = new Map([input, ...nodes.map(({ output }) => output)].map((edge, slot) => [edge, slot]));
  return (edge) => slots.get(edge)!;
}
