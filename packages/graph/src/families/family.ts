/** What a family of models is: the meaning of its config.json, and its graphs. */
import type { GraphBuilder } from '../ir/builder.ts';
import type { Edge } from '../ir/nodes.ts';
import type { DecoderConfig } from '../model.ts';
import type { RotaryTable } from '../rotary.ts';
import type { Json } from './fields.ts';

/** What a family makes of a config.json. */
export interface Blueprint<Layer = unknown> {
  readonly config: DecoderConfig;
  readonly rotary: Readonly<Record<string, RotaryTable>>;
  /** Before the number of a layer in the names of its weights; `model.layers.` where it is not given. */
  readonly layersPrefix?: string;
  /** Linears of a layer whose rows a file may store below each other, by the name of what it stores. */
  readonly stacked?: Readonly<Record<string, readonly string[]>>;
  /** ids to what enters the first layer. */
  embed(g: GraphBuilder, ids: Edge): Edge;
  /** What is not the same in all layers, such as a window. Layers with equal parameters share one graph. */
  parameters(index: number): Layer;
  /** x to the next layer's x; names of weights without the prefix of the layer. */
  layer(g: GraphBuilder, x: Edge, parameters: Layer): Edge;
  /** What leaves the last layer to logits. */
  head(g: GraphBuilder, x: Edge): Edge;
}

/** One file of this folder. To add one, see CONTRIBUTING.md. */
export interface Family {
  /** `model_type` of its config.json. */
  readonly modelType: string;
  /** As a table of what works names it. */
  readonly title: string;
  /** Errors: UNSUPPORTED, INVALID_ARGUMENT. */
  read(json: Json): Blueprint;
}
