import { inputSites, type LayerGraph } from '@spikellm/graph';

/** Linears that share an input, and so a Hessian. */
export interface HessianSite {
  /** C. */
  readonly inputs: number;
  /** Outputs of each linear. */
  readonly outputs: readonly number[];
}

/** In the order in which they are quantised. */
export const hessianSites = (layer: LayerGraph): HessianSite[] =>
  inputSites(layer).map(({ channels, readers }) => ({
    inputs: channels,
    outputs: readers.map(({ output }) => output.width),
  }));
