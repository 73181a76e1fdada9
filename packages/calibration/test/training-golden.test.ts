/** Block-wise training in the published form, against values of the research code in float32. */
import { createReferenceBackend, type Backend, type HostTensor } from '@spikellm/backend';
import { readGolden, type GoldenTensor, type OmniquantCase } from '@spikellm/golden';
import { floatWeight, inputSites, nodesOf, parseModel, type LayerWeights } from '@spikellm/graph';
import { allocateQuota } from '@spikellm/saliency';
import { describe, expect, it } from 'vitest';
import {
  createStream,
  DEFAULT_SETTINGS,
  initialParameters,
  trainLayer,
  type ActivationStream,
  type LayerParameters,
} from '../src/index.ts';
import { runLayer } from '../src/layer-pass.ts';
import { observeLayer } from '../src/observers.ts';

const { cases } = readGolden('omniquant_layer');

const hostTensor = ({ shape, data }: GoldenTensor): HostTensor => ({
  type: 'float32',
  dims: shape,
  data: Float32Array.from(data),
});

function layerOf({ weights, heads, rms_norm_eps, rope_theta }: OmniquantCase) {
  const [intermediate, hidden] = weights['mlp.gate_proj.weight'].shape;
  const graph = parseModel({
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: 1,
    num_attention_heads: heads,
    vocab_size: 8,
    max_position_embeddings: 64,
    rms_norm_eps,
    rope_theta,
  });
  const [layer] = graph.layers;
  const tensor = (name: string): HostTensor => hostTensor(weights[`${name}.weight`]);
  const float: LayerWeights = {
    norms: new Map(nodesOf(layer, 'norm').map((node) => [node.name, { node, weight: tensor(node.name) }])),
    linears: new Map(
      nodesOf(layer, 'linear').map((node) => [node.name, { node, weight: floatWeight(tensor(node.name)) }]),
    ),
  };
  return { graph, layer, weights: float };
}
type Golden = ReturnType<typeof layerOf>;

/** The samples of a golden tensor as a stream. */
async function streamOf(
  backend: Backend,
  name: string,
  { shape: [samples, tokens, hidden], data }: GoldenTensor,
): Promise<ActivationStream> {
  const dims = [tokens, hidden] as const;
  const stream = await createStream({ backend, dims, resident: samples, folder: '', name });
  for (let sample = 0; sample < samples; sample++) {
    const from = sample * tokens * hidden;
    const x = Float32Array.from(data.slice(from, from + tokens * hidden));
    await stream.set(sample, backend.upload({ type: 'float32', dims, data: x }));
  }
  return stream;
}

/** Runs the float layer over all samples: its outputs as a stream, and what it shows. */
async function runFloat(backend: Backend, { graph, layer, weights }: Golden, inputs: GoldenTensor) {
  const [samples, tokens] = inputs.shape;
  const windows = Array.from({ length: samples }, () => Array<number>(tokens).fill(0));
  const from = await streamOf(backend, 'inputs', inputs);
  const to = await streamOf(backend, 'outputs', inputs);
  const pass = { from, to, observe: observeLayer };
  const statistics = (await runLayer({ graph, backend, windows }, layer, weights, pass))!;
  return { outputs: to, statistics };
}

/** The linear whose inputs the research code looks at, by site. */
const READERS: Record<string, string> = {
  qkv: 'self_attn.q_proj',
  o: 'self_attn.o_proj',
  gate_up: 'mlp.up_proj',
  down: 'mlp.down_proj',
};
/** Names of the research code by those of folds. */
const SCALES: Record<string, string> = {
  qkv: 'qkv_smooth_scale',
  gate_up: 'fc1_smooth_scale',
  value: 'out_smooth_scale',
  key: 'qkt_smooth_scale',
};

describe.each(cases)('$tag', (golden) => {
  const own = layerOf(golden);
  const { layer, weights } = own;
  const absmax = Object.fromEntries(
    inputSites(layer).map(({ name }) => [
      name,
      Float64Array.from(golden.activation_abs_max[READERS[name]].data),
    ]),
  );
  const start = () =>
    initialParameters(weights, layer, absmax, {
      alpha: golden.alpha,
      initialScales: 'published',
      keys: 'free',
    });

  for (const [name, published] of golden.let ? Object.entries(SCALES) : []) {
    it(`initial scales: ${name}`, () => {
      const expected = golden.initial_parameters[published].data;
      const scale = start().scales[name];
      expect(scale.length).toBe(expected.length);
      expected.forEach((value, i) => expect(Math.abs(scale[i] - value)).toBeLessThan(1e-5));
    });
  }

  it('salient channels of every linear, of keys and of values', async () => {
    using backend = createReferenceBackend();
    const { channels, kv } = (await runFloat(backend, own, golden.inputs)).statistics;
    const scores: Record<string, ArrayLike<number>> = {
      ...channels,
      'self_attn.qkt_matmul': kv.keys,
      'self_attn.pv_matmul': kv.values,
    };
    for (const [name, mask] of Object.entries(golden.salient)) {
      const steps = allocateQuota(scores[name], 1 - golden.low_p, 2);
      expect(
        [...steps].map((T) => T - 1),
        name,
      ).toEqual(mask);
    }
  });

  it('first gradients and the losses of training', async () => {
    const { losses, gradients } = await train(golden, own, start());
    for (const [name, expected] of Object.entries(golden.first_gradients)) {
      const ours = gradients.get(ourName(name));
      // Shifts, which the research code computes gradients of and then leaves at zero.
      if (name.endsWith('_shift')) continue;
      expect(ours, name).toBeDefined();
      const largest = Math.max(...expected.data.map(Math.abs));
      ours!.forEach((value, i) => {
        expect(Math.abs(value - expected.data[i]), `${name} ${i}`).toBeLessThan(
          1e-3 * Math.max(largest, 1e-7),
        );
      });
    }
    golden.losses.forEach((epoch, e) => {
      epoch.forEach((loss, sample) => {
        const relative = Math.abs(losses[e * epoch.length + sample] / loss - 1);
        expect(relative, `epoch ${e}, sample ${sample}`).toBeLessThan(e === 0 ? 1e-3 : 2e-2);
      });
    });
  });
});

/** Name of a vector here, from that of the research code. */
const ourName = (name: string): string => {
  const scale = Object.entries(SCALES).find(([, published]) => published === name);
  return scale
    ? scale[0]
    : name
        .replace('weight_quantizer.upbound_factor', 'upper')
        .replace('weight_quantizer.lowbound_factor', 'lower');
};

async function train(golden: OmniquantCase, own: Golden, all: LayerParameters) {
  const { layer } = own;
  const [windows, length] = golden.inputs.shape;
  using backend = createReferenceBackend();
  const steps = (name: string, salient: number): Uint8Array =>
    Uint8Array.from(golden.salient[name], (s) => (s ? salient : 1));
  // The research code gives keys and values one more bit, whatever the linears have.
  const cached = (name: string): Uint8Array => steps(name, 2);
  const augmented = golden.aug_loss ? [(await runFloat(backend, own, golden.inputs)).outputs] : [];
  const losses: number[] = [];
  let gradients: ReadonlyMap<string, Float32Array> | undefined;
  await trainLayer({
    ...own,
    backend,
    length,
    windows,
    inputs: await streamOf(backend, 'inputs', golden.inputs),
    targets: [await streamOf(backend, 'targets', golden.fp_outputs), ...augmented],
    parameters: { scales: golden.let ? all.scales : {}, clipping: all.clipping },
    steps: {
      linears: new Map(nodesOf(layer, 'linear').map(({ name }) => [name, steps(name, 2 ** golden.addbit)])),
      kv: { keys: cached('self_attn.qkt_matmul'), values: cached('self_attn.pv_matmul') },
    },
    settings: {
      ...DEFAULT_SETTINGS,
      weightBits: golden.weight_bits,
      activationBits: golden.activation_bits,
      range: 'saturating',
      key: 'whole',
    },
    training: {
      epochs: golden.epochs,
      alpha: golden.alpha,
      initialScales: 'published',
      scaleRate: golden.let_lr,
      clippingRate: golden.lwc_lr,
      schedule: 'constant',
      augmentedLoss: golden.aug_loss,
    },
    where: golden.tag,
    onStep(loss, found) {
      losses.push(loss);
      gradients ??= found;
    },
  });
  return { losses, gradients: gradients! };
}
