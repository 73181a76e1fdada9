/**
 * The nodes of a model graph. A graph is data: a family builds it, and what else the project makes of a model - kernels, a
 * training tape, folded scales, spike sites, sizes, pictures - interprets it.
 */

import type { Activation } from '@spikellm/backend';

/** A value of a graph: `width` float32 numbers of each token, [N, width]; or the ids of the tokens, [N], of width 0. */
export interface Edge {
  readonly name: string;
  readonly width: number;
}

interface NodeOf<Kind extends string, Input extends string> {
  readonly kind: Kind;
  /** Unique in its graph. Where the node has weights, their place below the prefix of the graph: `self_attn.q_proj`. */
  readonly name: string;
  readonly inputs: Readonly<Record<Input, Edge>>;
  readonly output: Edge;
}

/** Rows of a table [rows, width] by id. */
export interface EmbeddingNode extends NodeOf<'embedding', 'ids'> {
  readonly rows: number;
}

/** Rows of a table [rows, width] by the position of each token. */
export interface PositionsNode extends NodeOf<'positions', 'ids'> {
  readonly rows: number;
  /** The row of the first position. */
  readonly first: number;
}

/** RMSNorm or LayerNorm of each of `groups` groups of channels by itself, with one weight [width / groups] for all groups. */
export interface NormNode extends NodeOf<'norm', 'x'> {
  readonly of: 'rms' | 'layer';
  readonly eps: number;
  /** 1, or the heads of a norm of each head. */
  readonly groups: number;
  /** Added to the weight as it is stored: 1 where a checkpoint stores w - 1. */
  readonly offset: 0 | 1;
  readonly bias: boolean;
}

/** x W^T + b, W [output width, input width]. */
export interface LinearNode extends NodeOf<'linear', 'x'> {
  readonly bias: boolean;
  /** Of the head: its rows may be those of the embedding, and they are kept in the precision in which they are stored. */
  readonly table: boolean;
}

/** Rotary embedding of each head by the angles of a table of the model. */
export interface RotaryNode extends NodeOf<'rotary', 'x'> {
  readonly headSize: number;
  /** Channels of a head that are rotated, the first ones: channel i < width / 2 with channel i + width / 2. */
  readonly width: number;
  /** Which of the model's tables. */
  readonly table: string;
}

/** Causal attention; it remembers keys and values. */
export interface AttentionNode extends NodeOf<'attention', 'q' | 'k' | 'v'> {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Of q . k. */
  readonly scale: number;
  /** A key is seen by the queries of its own and the next `window` - 1 positions; 0: by all later ones. */
  readonly window: number;
  /** Scores s become c tanh(s / c); 0: they stay. */
  readonly softcap: number;
}

/** activation(gate) up. */
export interface GatedNode extends NodeOf<'gated', 'gate' | 'up'> {
  readonly of: Activation;
}

/** An activation of each channel by itself. */
export interface ActivationNode extends NodeOf<'activation', 'x'> {
  readonly of: Activation;
}

/** x times a constant. */
export interface ScaleNode extends NodeOf<'scale', 'x'> {
  readonly factor: number;
}

/** cap tanh(x / cap). */
export interface SoftcapNode extends NodeOf<'softcap', 'x'> {
  readonly cap: number;
}

/** a + b. */
export type AddNode = NodeOf<'add', 'a' | 'b'>;

/** The rotation of `hadamard_f32`, which the model does as it runs. */
export type HadamardNode = NodeOf<'hadamard', 'x'>;

export type GraphNode =
  | EmbeddingNode
  | PositionsNode
  | NormNode
  | LinearNode
  | RotaryNode
  | AttentionNode
  | GatedNode
  | ActivationNode
  | AddNode
  | ScaleNode
  | SoftcapNode
  | HadamardNode;

export type NodeKind = GraphNode['kind'];
export type NodeOfKind<Kind extends NodeKind> = Extract<GraphNode, { kind: Kind }>;

/** Nodes in an order in which they can run. */
export interface Graph {
  readonly input: Edge;
  readonly output: Edge;
  readonly nodes: readonly GraphNode[];
}

/** The values that a node reads, in the order of their names. */
export const readsOf = (node: GraphNode): readonly Edge[] => Object.values(node.inputs);

/** The nodes of one kind. */
export const nodesOf = <Kind extends NodeKind>({ nodes }: Graph, kind: Kind): NodeOfKind<Kind>[] =>
  nodes.filter((node): node is NodeOfKind<Kind> => node.kind === kind);

/** The node that computes a value; undefined for the input of the graph. */
export const producerOf = ({ nodes }: Graph, edge: Edge): GraphNode | undefined =>
  nodes.find((node) => node.output === edge);

/** The nodes that read a value. */
export const readersOf = ({ nodes }: Graph, edge: Edge): GraphNode[] =>
  nodes.filter((node) => readsOf(node).includes(edge));
