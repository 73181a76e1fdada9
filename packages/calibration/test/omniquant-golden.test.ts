/** Block-wise training in the published form, against values of the research code in float32. */
import { createReferenceBackend, createRunner, type HostTensor } from '@spikellm/backend';
import { readGolden } from '@spikellm/golden';
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
import { initialParameters } from '../src/omniquant/parameters.ts';
import { watchLayer } from '../src/watch.ts';

interface GoldenTensor {
  readonly shape: number[];
  readonly data: number[];
}
type GoldenTensors = Readonly<Record<string, GoldenTensor>>;
interface GoldenCase {
  readonly tag: string;
  readonly alpha: number;
  readonly let: boolean;
  readonly addbit: number;
  readonly low_p: number;
  readonly heads: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly weights: GoldenTensors;
  readonly activation_abs_max: GoldenTensors;
  readonly initial_parameters: GoldenTensors;
  /** [samples, tokens, C]. */
  readonly inputs: GoldenTensor;
  readonly salient: Readonly<Record<string, number[]>>;
}

const { cases } = readGolden('omniquant_layer') as { cases: GoldenCase[] };

const hostTensor = ({ shape, data }: GoldenTensor): HostTensor => ({
  type: 'float32',
  dims: shape,
  data: Float32Array.from(data),
});

function layerOf({ weights, heads, rms_norm_eps, rope_theta }: GoldenCase) {
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

/** What the float layer sees of all samples. */
async function statisticsOf(config: DecoderConfig, weights: LayerWeights, { shape, data }: GoldenTensor) {
  const [samples, tokens, hidden] = shape;
  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const layer = prepareLayer(runner, config, 0, weights);
  using cache = createCache(backend, config, [layer.attention], tokens);
  using watch = watchLayer(backend, config, 0, layer);
  for (let sample = 0; sample < samples; sample++) {
    const from = sample * tokens * hidden;
    const x = runner.upload({
      type: 'float32',
      dims: [tokens, hidden],
      data: Float32Array.from(data.slice(from, from + tokens * hidden)),
    });
    runner.scope(() => layer.forward(x, cache.layers[0], { position: 0, rope: cache.rope }, watch.taps));
  }
  return await watch.read();
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
  const parameters = initialParameters(layer, config, absmax, { alpha: golden.alpha, form: 'published' });

  for (const [name, published] of golden.let ? Object.entries(SCALES) : []) {
    it(`initial scales: ${name}`, () => {
      const expected = golden.initial_parameters[published].data;
      const scale = parameters.scales[name as keyof typeof SCALES];
      expect(scale.length).toBe(expected.length);
      expected.forEach((value, i) => expect(Math.abs(scale[i] - value)).toBeLessThan(1e-5));
    });
  }

  it('salient channels of every linear, of keys and of values', async () => {
    const { channels, kv } = await statisticsOf(config, layer, golden.inputs);
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
});
