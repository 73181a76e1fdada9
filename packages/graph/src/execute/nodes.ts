/** Each kind of node as kernels: the definition that fused kernels are held against. */
import type { DeviceTensor, Runner } from '@spikellm/backend';
import type { PreparedAttention } from '../attention/attention.ts';
import { prepareEncoding, type Encoding, type Table } from '../formats/format.ts';
import { hostTensor } from '../host-tensor.ts';
import type { Edge, Graph, GraphNode, LinearNode, NodeKind, NodeOfKind } from '../ir/nodes.ts';
import type { SpikingConfig } from '../spiking-config.ts';
import { normScale, type LinearWeights, type NormWeights } from './layer-weights.ts';
import { inputSites } from '../sites.ts';
import type { Pass, Step } from './pass.ts';

/** What nodes are prepared with. */
export interface Preparing {
  readonly runner: Runner;
  readonly graph: Graph;
  readonly slot: (edge: Edge) => number;
  readonly norms: ReadonlyMap<string, NormWeights>;
  readonly linears: ReadonlyMap<string, LinearWeights>;
  /** Embedding and head. */
  readonly tables: ReadonlyMap<string, Table>;
  readonly attention: PreparedAttention | undefined;
  readonly spiking: SpikingConfig | undefined;
  /** The index of the layer; undefined outside the layers, where nothing is observed. */
  readonly layer: number | undefined;
  /** Encodings by edge and steps: linears with the same steps share one of their input. */
  readonly encodings: Map<string, Encoding>;
  /** Filled with float weights on the device, by name of the linear. */
  readonly devices: Map<string, DeviceTensor>;
}

const PREPARE: { readonly [Kind in NodeKind]: (node: NodeOfKind<Kind>, with_: Preparing) => Step } = {
  embedding({ name, inputs, output }, { slot, tables }) {
    const gather = tables.get(name)!.gather();
    const [ids, y] = [slot(inputs.ids), slot(output)];
    return ({ values }) => void (values[y] = gather(values[ids]));
  },

  positions({ name, inputs, output, first }, { runner, slot, tables }) {
    const gather = tables.get(name)!.gather();
    const [ids, y] = [slot(inputs.ids), slot(output)];
    return ({ values, position }) => {
      const [tokens] = values[ids].dims;
      const rows = Int32Array.from({ length: tokens }, (_, n) => first + position + n);
      using at = runner.backend.upload(hostTensor('int32', rows));
      values[y] = gather(at);
    };
  },

  norm(node, preparing) {
    const { slot } = preparing;
    const { run } = prepareNorm(node, preparing);
    const [x, y] = [slot(node.inputs.x), slot(node.output)];
    return ({ values }) => void (values[y] = run(values[x]));
  },

  linear(node, preparing) {
    const { slot } = preparing;
    const [x, y] = [slot(node.inputs.x), slot(node.output)];
    if (node.table) {
      const product = preparing.tables.get(node.name)!.product();
      return ({ values }) => void (values[y] = product(values[x]));
    }
    return prepareLinear(node, preparing, x, y);
  },

  rotary({ inputs, output, headSize: D, table }, { runner, slot }) {
    const [x, y] = [slot(inputs.x), slot(output)];
    const H = output.width / D;
    return ({ values, angles, position }) =>
      void (values[y] = runner.run('rope_f32', { x: values[x], ...angles[table] }, { H, D }, { position }).y);
  },

  attention({ inputs, output }, { slot, attention, layer }) {
    const [q, k, v, y] = [slot(inputs.q), slot(inputs.k), slot(inputs.v), slot(output)];
    const { attend } = attention!;
    return ({ values, observers, cache, position }) => {
      observers?.attention?.(layer!, values[q], values[k], values[v]);
      values[y] = attend(values[q], values[k], values[v], cache, position);
    };
  },

  gated({ inputs, output, of }, { runner, slot }) {
    const [gate, up, y] = [slot(inputs.gate), slot(inputs.up), slot(output)];
    return ({ values }) =>
      void (values[y] = runner.run('gated_f32', { gate: values[gate], up: values[up] }, { of }).y);
  },

  activation({ inputs, output, of }, { runner, slot }) {
    const [x, y] = [slot(inputs.x), slot(output)];
    return ({ values }) => void (values[y] = runner.run('activation_f32', { x: values[x] }, { of }).y);
  },

  add({ inputs, output }, { runner, slot }) {
    const [a, b, y] = [slot(inputs.a), slot(inputs.b), slot(output)];
    return ({ values }) => void (values[y] = runner.run('add_f32', { a: values[a], b: values[b] }).y);
  },

  scale({ inputs, output, factor }, { runner, slot }) {
    const [x, y] = [slot(inputs.x), slot(output)];
    return ({ values }) => void (values[y] = runner.run('scale_f32', { x: values[x] }, { factor }).y);
  },

  softcap({ inputs, output, cap }, { runner, slot }) {
    const [x, y] = [slot(inputs.x), slot(output)];
    return ({ values }) => void (values[y] = runner.run('softcap_f32', { x: values[x] }, { cap }).y);
  },

  hadamard({ inputs, output }, { runner, slot }) {
    const [x, y] = [slot(inputs.x), slot(output)];
    return ({ values }) => void (values[y] = runner.run('hadamard_f32', { x: values[x] }).y);
  },
};

/** Makes one node ready. The runner owns what is made. */
export const prepareNode = (node: GraphNode, preparing: Preparing): Step =>
  (PREPARE[node.kind] as (node: GraphNode, preparing: Preparing) => Step)(node, preparing);

type NormNode = NodeOfKind<'norm'>;

/** A norm on the device: its weight, with what is added to it as it is stored, and what it makes of x. */
export interface PreparedNorm {
  readonly weight: DeviceTensor;
  readonly run: (x: DeviceTensor) => DeviceTensor;
}

export function prepareNorm(
  { name, of, eps, groups: H }: NormNode,
  { runner, norms }: Preparing,
): PreparedNorm {
  const stored = norms.get(name)!;
  const weight = runner.upload(normScale(stored));
  const bias = stored.bias && runner.upload(stored.bias);
  return {
    weight,
    run:
      of === 'rms'
        ? (x) => runner.run('rmsnorm_f32', { x, weight }, { eps, H }).y
        : (x) => runner.run('layernorm_f32', { x, weight, bias }, { eps }).y,
  };
}

function prepareLinear(node: LinearNode, preparing: Preparing, x: number, y: number): Step {
  const { runner, linears, devices, spiking } = preparing;
  const { weight, bias, steps } = linears.get(node.name)!;
  if (steps === undefined || spiking === undefined) {
    const { run, device } = weight.onFloats(runner, bias);
    if (device !== undefined) devices.set(node.name, device);
    return ({ values }) => void (values[y] = run(values[x]));
  }
  const key = `${x} ${steps.join()}`;
  const encoding = preparing.encodings.get(key) ?? prepareEncoding(runner, steps, spiking.activations);
  preparing.encodings.set(key, encoding);
  const run = weight.onSpikes(runner, bias, encoding);
  return (pass) => {
    const input = pass.spikes.get(encoding) ?? runner.apply(encoding.kernel, { x: pass.values[x] });
    pass.spikes.set(encoding, input);
    pass.values[y] = run(input);
  };
}

/** Shows an observer what the linears read that read an edge. */
export function observer({ graph, layer }: Preparing, edge: Edge): (pass: Pass, x: DeviceTensor) => void {
  const site = inputSites(graph).find((each) => each.edge === edge)!.name;
  return ({ observers }, x) => observers?.input?.(layer!, site, x);
}
