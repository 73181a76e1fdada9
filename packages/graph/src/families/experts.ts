/** Experts: several MLPs, of which each token gets a few. */
import type { Activation } from '@spikellm/backend';
import type { GraphBuilder } from '../ir/builder.ts';
import type { Edge } from '../ir/nodes.ts';
import { contradiction, count, readFields, type Json } from './fields.ts';

export interface Experts {
  readonly count: number;
  /** How many of them a token gets. */
  readonly top: number;
  /** Whether their parts are made to add up to 1. */
  readonly renormalised: boolean;
  /** Channels inside each. */
  readonly width: number;
  /** Before the names of router and experts, and the names of the linears of one. */
  readonly names: {
    readonly prefix: string;
    readonly gate: string;
    readonly up: string;
    readonly down: string;
  };
}

/** More than any model has. */
const MOST = 4096;

/** Errors: INVALID_ARGUMENT. */
export function readExperts(
  json: Json,
  rest: Omit<Experts, 'count' | 'top'> & { readonly experts: unknown },
): Experts {
  const { experts: given, ...own } = rest;
  const { num_experts: experts, num_experts_per_tok: top } = readFields(
    { num_experts: given, num_experts_per_tok: json.num_experts_per_tok },
    { num_experts: count(MOST), num_experts_per_tok: count(MOST) },
  );
  if (top > experts) throw contradiction(`num_experts_per_tok to be at most num_experts (${experts})`, top);
  return { ...own, count: experts, top };
}

/**
 * The sum of all experts, each times its part, which is 0 of those that a token does not get. All compute all tokens: what a
 * token gets is known on the device alone.
 */
export function mixture(g: GraphBuilder, x: Edge, experts: Experts, of: Activation): Edge {
  const { names, width } = experts;
  const parts = g.route(g.router(`${names.prefix}.gate`, x, experts.count), experts);
  const each = Array.from({ length: experts.count }, (_, expert) => {
    const name = `${names.prefix}.experts.${expert}`;
    const gate = g.linear(`${name}.${names.gate}`, x, width);
    const up = g.linear(`${name}.${names.up}`, x, width);
    return g.weigh(g.linear(`${name}.${names.down}`, g.gated(of, gate, up), x.width), parts, expert);
  });
  return each.reduce((sum, own) => g.add(sum, own));
}
