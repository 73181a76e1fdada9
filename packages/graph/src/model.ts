/** What config.json means: sizes, and the graphs of a model. */
import type { Edge, Graph } from './ir/nodes.ts';
import type { RotaryTable } from './rotary.ts';

/** The sizes of a decoder, for people and for checks; what it computes is in its graphs. */
export interface DecoderConfig {
  /** `model_type` of its config.json. */
  readonly family: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly tiedEmbeddings: boolean;
  /** Inputs of linears that no weight before them can rotate are rotated as the decoder runs; weights are made for that. */
  readonly downRotation?: 'hadamard';
  /** Tokens that end a text; may be empty. */
  readonly endTokens: readonly number[];
  /** Every text it was trained on begins with BOS; without it, all that follows is far from what it knows. */
  readonly needsBos?: true;
}

/** One decoder layer: x [N, hidden] to the next layer's x. Layers with the same parameters share their nodes. */
export interface LayerGraph extends Graph {
  readonly index: number;
  /** Before the names of its weights: `model.layers.3.`. */
  readonly prefix: string;
}

export interface ModelGraph {
  readonly config: DecoderConfig;
  /** Token ids to what enters the first layer. */
  readonly embed: Graph;
  readonly layers: readonly LayerGraph[];
  /** What leaves the last layer to logits. */
  readonly head: Graph;
  /** Linears of a layer whose rows a file may store below each other, by the name of what it stores. */
  readonly stacked?: Readonly<Record<string, readonly string[]>>;
  /** By the name that rotary nodes use. */
  readonly rotary: Readonly<Record<string, RotaryTable>>;
}

export const TOKEN_IDS: Edge = { name: 'ids', width: 0 };
