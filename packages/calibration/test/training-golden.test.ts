/** Block-wise training in the published form, against values of the research code in float32. */
import { createReferenceBackend, createRunner, type Backend, type HostTensor } from '@spikellm/backend';
import { readGolden, type GoldenTensor, type OmniquantCase } from '@spikellm/golden';
import {
  createCache,
  layerLinears,
  parseDecoderConfig,
  prepareLayer,
  type DecoderConfig,
  type LayerWeights,
  type LinearGroup,
} from '@spikellm/graph';
import { allocateQuota } from '@spikellm/saliency';
import { describe, expect, it } from 'vitest';
import { initialParameters, type LayerParameters } from '../src/omniquant/parameters.ts';
import { trainLayer } from '../src/omniquant/train.ts';
import { DEFAULT_SETTINGS } from '../src/settings.ts';
import { createStream } from '../src/streams.ts';
import { watchLayer } from '../src/watch.ts';

const { cases } = readGolden('omniquant_layer');

const hostTensor = ({ shape, data }: GoldenTensor): HostTensor => ({
  type: 'float32',
  dims: shape,
  data: Float32Array.from(data),
});

function layerOf({ weights, heads, rms_norm_eps, rope_theta }: OmniquantCase) {
  const [intermediate, hidden] = weights['mlp.gate_proj.weight'].shape;
  const config = parseDecoderConfig({
    architectures: ['LlamaForCausalLM'],
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
  const layer: LayerWeights = {
    inputNorm: hostTensor(weights['input_layernorm.weight']),
    mlpNorm: hostTensor(weights['post_attention_layernorm.weight']),
    linears: layerLinears(config, 0).map((entry) => ({
      entry,
      weight: hostTensor(weights[`${entry.name}.weight`]),
    })),
  };
  return { config, layer };
}

/** Runs the float layer over all samples. */
async function runFloat(
  backend: Backend,
  config: DecoderConfig,
  weights: LayerWeights,
  { shape, data }: GoldenTensor,
) {
  const [samples, tokens, hidden] = shape;
  using runner = createRunner(backend);
  const layer = prepareLayer(runner, config, 0, weights);
  using cache = createCache(backend, config, [layer.attention], tokens);
  using watch = watchLayer(backend, config, 0, layer);
  const outputs: Float32Array[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const from = sample * tokens * hidden;
    const x = runner.upload({
      type: 'float32',
      dims: [tokens, hidden],
      data: Float32Array.from(data.slice(from, from + tokens * hidden)),
    });
    using y = runner.scope(() =>
      layer.forward(x, cache.layers[0], { position: 0, rope: cache.rope }, watch.taps),
    );
    outputs.push((await backend.read(y)).data as Float32Array);
  }
  return { outputs, statistics: await watch.read() };
}

const READERS: Record<LinearGroup, string> = {
  qkv: 'self_attn.q_proj',
  o: 'self_attn.o_proj',
  gate_up: 'mlp.up_proj',
  down: 'mlp.down_proj',
};
/** Names of the research code. */
const SCALES = {
  qkv: 'qkv_smooth_scale',
  gateUp: 'fc1_smooth_scale',
  value: 'out_smooth_scale',
  key: 'qkt_smooth_scale',
} as const;

describe.each(cases)('$tag', (golden) => {
  const { config, layer } = layerOf(golden);
  const absmax = Object.fromEntries(
    Object.entries(READERS).map(([group, name]) => [
      group,
      Float64Array.from(golden.activation_abs_max[name].data),
    ]),
  ) as Record<LinearGroup, Float64Array>;
  const start = () =>
    initialParameters(layer, config, absmax, {
      alpha: golden.alpha,
      initialScales: 'published',
      keys: 'free',
    });

  for (const [name, published] of golden.let ? Object.entries(SCALES) : []) {
    it(`initial scales: ${name}`, () => {
      const expected = golden.initial_parameters[published].data;
      const scale = start().scales[name as keyof typeof SCALES]!;
      expect(scale.length).toBe(expected.length);
      expected.forEach((value, i) => expect(Math.abs(scale[i] - value)).toBeLessThan(1e-5));
    });
  }

  it('salient channels of every linear, of keys and of values', async () => {
    using backend = createReferenceBackend();
    const { channels, kv } = (await runFloat(backend, config, layer, golden.inputs)).statistics;
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
    const { losses, gradients } = await train(golden, config, layer, start());
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

async function train(
  golden: OmniquantCase,
  config: DecoderConfig,
  weights: LayerWeights,
  all: LayerParameters,
) {
  const [windows, length, hidden] = golden.inputs.shape;
  using backend = createReferenceBackend();
  const streamOf = async (name: string, data: readonly Float32Array[]) => {
    const stream = await createStream({
      backend,
      dims: [length, hidden],
      resident: windows,
      folder: '',
      name,
    });
    for (const [window, x] of data.entries()) {
      await stream.set(window, backend.upload({ type: 'float32', dims: [length, hidden], data: x }));
    }
    return stream;
  };
  const windowsOf = ({ data }: GoldenTensor): Float32Array[] =>
    Array.from({ length: windows }, (_, w) =>
      Float32Array.from(data.slice(w * length * hidden, (w + 1) * length * hidden)),
    );
  const steps = (name: string): Uint8Array =>
    Uint8Array.from(golden.salient[name], (s) => (s ? 2 ** golden.addbit : 1));
  // The research code gives keys and values one more bit, whatever the linears have.
  const cached = (name: string): Uint8Array => Uint8Array.from(golden.salient[name], (s) => (s ? 2 : 1));
  const inputs = await streamOf('inputs', windowsOf(golden.inputs));
  const targets = await streamOf('targets', windowsOf(golden.fp_outputs));
  const augmented = golden.aug_loss
    ? [await streamOf('augmented', (await runFloat(backend, config, weights, golden.inputs)).outputs)]
    : [];
  const losses: number[] = [];
  let gradients: ReadonlyMap<string, Float32Array> | undefined;
  await trainLayer({
    backend,
    config,
    weights,
    length,
    windows,
    inputs,
    targets: [targets, ...augmented],
    parameters: { scales: golden.let ? all.scales : {}, clipping: all.clipping },
    steps: {
      linears: new Map(weights.linears.map(({ entry: { name } }) => [name, steps(name)])),
      kv: { keys: cached('self_attn.qkt_matmul'), values: cached('self_attn.pv_matmul') },
    },
    settings: {
      ...DEFAULT_SETTINGS,
      weightBits: golden.weight_bits,
      activationBits: golden.activation_bits,
      range: 'published',
      key: 'published',
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
