/**
 * Patterns of nodes that one kernel computes. A pattern is an optimisation: it gives the bits that its nodes give one by
 * one, and a test holds both against each other. To add one is to add a function and its line in `PATTERNS`.
 */
import type { PackedRows } from '../formats/format.ts';
import { packedConstants } from '../formats/integer.ts';
import { hostTensor } from '../host-tensor.ts';
import { nodesOf, readersOf, type GraphNode, type LinearNode } from '../ir/nodes.ts';
import { stepClasses } from '../salient.ts';
import { observer, prepareNorm, type Preparing } from './nodes.ts';
import type { Step } from './pass.ts';

/** What a pattern makes of some nodes: they run as one, where the first of them would have run. */
export interface Fused {
  readonly nodes: readonly GraphNode[];
  readonly step: Step;
}

/** Whether a pattern begins at a node; undefined where it does not. */
type Pattern = (node: GraphNode, preparing: Preparing) => Fused | undefined;

const PATTERNS: readonly Pattern[] = [normQkv, normGateUp, linearAdd];

/** The first pattern that begins at a node. */
export function fuse(node: GraphNode, preparing: Preparing): Fused | undefined {
  for (const pattern of PATTERNS) {
    const fused = pattern(node, preparing);
    if (fused !== undefined) return fused;
  }
  return undefined;
}

/** RMSNorm, and q, k and v on the spikes of what it makes. */
function normQkv(node: GraphNode, preparing: Preparing): Fused | undefined {
  const found = normAndReaders(node, preparing, 3);
  const [attention] = nodesOf(preparing.graph, 'attention');
  if (found === undefined || attention === undefined) return undefined;
  const { norm, linears, shared } = found;
  const { heads: H, kvHeads: K, headSize: D } = attention;
  if (linears.some(({ output }, i) => output.width !== (i === 0 ? H : K) * D)) return undefined;
  const { runner, slot } = preparing;
  const { weight, run } = prepareNorm(norm, preparing);
  const [q, k, v] = shared.weights;
  const kernel = runner.prepare(
    'qkv_gif_f32',
    { H, K, D, ...shared.attributes, eps: norm.eps },
    { steps: shared.steps, ...named('q', q), ...named('k', k), ...named('v', v) },
  );
  const observe = observer(preparing, norm.output);
  const x = slot(norm.inputs.x);
  const [query, key, value] = linears.map(({ output }) => slot(output));
  return {
    nodes: [norm, ...linears],
    step(pass) {
      const { values } = pass;
      if (pass.observers?.input !== undefined) observe(pass, run(values[x]));
      const made = runner.apply(kernel, { x: values[x], norm: weight });
      values[query] = made.q;
      values[key] = made.k;
      values[value] = made.v;
    },
  };
}

/** RMSNorm, gate and up on the spikes of what it makes, and the gated activation. */
function normGateUp(node: GraphNode, preparing: Preparing): Fused | undefined {
  const found = normAndReaders(node, preparing, 2);
  if (found === undefined) return undefined;
  const { norm, linears, shared } = found;
  const { runner, slot, graph } = preparing;
  const [gate, up] = linears;
  const readers = new Set(linears.flatMap(({ output }) => readersOf(graph, output)));
  const [gated] = readers;
  if (readers.size !== 1 || gated.kind !== 'gated') return undefined;
  if (gated.inputs.gate !== gate.output || gated.inputs.up !== up.output) return undefined;
  const { weight, run } = prepareNorm(norm, preparing);
  const [gateRows, upRows] = shared.weights;
  const kernel = runner.prepare(
    'gate_up_gif_f32',
    { ...shared.attributes, eps: norm.eps, of: gated.of },
    { steps: shared.steps, ...named('gate', gateRows), ...named('up', upRows) },
  );
  const observe = observer(preparing, norm.output);
  const [x, y] = [slot(norm.inputs.x), slot(gated.output)];
  return {
    nodes: [norm, gate, up, gated],
    step(pass) {
      const { values } = pass;
      if (pass.observers?.input !== undefined) observe(pass, run(values[x]));
      values[y] = runner.apply(kernel, { x: values[x], norm: weight }).y;
    },
  };
}

/** A linear on the spikes of its input, added to a value that is there already, such as the residual stream. */
function linearAdd(node: GraphNode, preparing: Preparing): Fused | undefined {
  if (node.kind !== 'linear' || node.table) return undefined;
  const { runner, slot, graph } = preparing;
  const readers = readersOf(graph, node.output);
  const [add] = readers;
  if (readers.length !== 1 || add.kind !== 'add' || add.inputs.a === add.inputs.b) return undefined;
  const other = add.inputs.a === node.output ? add.inputs.b : add.inputs.a;
  const before = graph.nodes.slice(0, graph.nodes.indexOf(node));
  if (other !== graph.input && !before.some(({ output }) => output === other)) return undefined;
  const shared = sharedSpikes([node], preparing);
  if (shared === undefined) return undefined;
  const [packed] = shared.weights;
  const kernel = runner.prepare('linear_gif_f32', shared.attributes, { steps: shared.steps, ...packed });
  const [x, residual, y] = [slot(node.inputs.x), slot(other), slot(add.output)];
  return {
    nodes: [node, add],
    step: ({ values }) => void (values[y] = runner.apply(kernel, { x: values[x], add: values[residual] }).y),
  };
}

/** A norm of whole rows that only so many linears read, on spikes that they share. */
function normAndReaders(node: GraphNode, preparing: Preparing, count: number) {
  if (node.kind !== 'norm' || node.of !== 'rms' || node.groups > 1) return undefined;
  const readers = readersOf(preparing.graph, node.output);
  const linears = readers.filter((reader): reader is LinearNode => reader.kind === 'linear');
  if (linears.length !== count || readers.length !== count) return undefined;
  const shared = sharedSpikes(linears, preparing);
  return shared && { norm: node, linears, shared };
}

type Constants = ReturnType<typeof packedConstants>;

/** The constants of one of several linears. */
const named = <Prefix extends string>(prefix: Prefix, own: Constants) =>
  ({
    [`${prefix}Weight`]: own.weight,
    [`${prefix}WeightScale`]: own.weightScale,
    [`${prefix}WeightZero`]: own.weightZero,
    [`${prefix}Bias`]: own.bias,
  }) as Record<`${Prefix}Weight` | `${Prefix}WeightScale` | `${Prefix}WeightZero`, Constants['weight']> &
    Record<`${Prefix}Bias`, Constants['bias']>;

/** What fused kernels take of linears with packed rows of the same bits on the same spikes; undefined for others. */
function sharedSpikes(nodes: readonly LinearNode[], { linears, spiking }: Preparing) {
  const all = nodes.map(({ name }) => linears.get(name)!);
  const [{ steps }] = all;
  const packed = all.flatMap(({ weight }): PackedRows[] => (weight.packed ? [weight.packed] : []));
  if (spiking === undefined || steps === undefined || packed.length < all.length) return undefined;
  const [{ bits: weightBits }] = packed;
  const key = steps.join();
  if (!all.every((linear) => linear.steps?.join() === key)) return undefined;
  if (packed.some(({ bits }) => bits !== weightBits)) return undefined;
  const { bits, range } = spiking.activations;
  return {
    attributes: { bits, range, classes: stepClasses(steps), weightBits },
    steps: hostTensor('uint8', steps),
    weights: packed.map((rows, i) => packedConstants(rows, all[i].bias)),
  };
}
