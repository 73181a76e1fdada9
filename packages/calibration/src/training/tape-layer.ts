/** A decoder layer on a tape, as its spiking version will run: what training and the gradient pass differentiate. */
import type { DeviceTensor, HostTensor, Runner } from '@spikellm/backend';
import { createRotation, type Rotation, type Tape, type Value } from '@spikellm/autograd';
import { hostTensor, ropeTables, type DecoderConfig, type LayerWeights } from '@spikellm/graph';
import { cachedChannel } from '../equivalence.ts';
import { KEY_BLOCK, spikesInCache, type QuantizeSettings } from '../settings.ts';
import type { LayerSteps } from '../steps.ts';
import { prepareRoundings } from '../roundings.ts';
import { pairOf, type LayerParameters, type ScaleName } from './parameters.ts';

/** The trained vectors of a layer on one tape, by the name of `namedParameters`. */
export type ParameterValues = ReadonlyMap<string, Value>;

/** All vectors of a layer's parameters by name; they are changed in place. */
export function namedParameters({ scales, clipping }: LayerParameters): ReadonlyMap<string, Float32Array> {
  return new Map([
    ...Object.entries(scales),
    ...[...clipping].flatMap(([name, { upper, lower }]): [string, Float32Array][] => [
      [`${name}.upper`, upper],
      [`${name}.lower`, lower],
    ]),
  ]);
}

export interface TrainingLayer {
  /** x [length, hidden] to the next layer's x, through rounded weights and spikes, straight-through. */
  forward(tape: Tape, parameters: ParameterValues, x: Value): Value;
}

export interface TapeLayerOptions {
  readonly config: DecoderConfig;
  readonly weights: LayerWeights;
  readonly settings: QuantizeSettings;
  /** Tokens of a window. */
  readonly length: number;
}

export interface TrainingLayerOptions extends TapeLayerOptions {
  readonly steps: LayerSteps;
}

/**
 * What becomes of a tensor that spikes may carry: the input of a linear by its name, or `query`, `key` or `value`, keys
 * and queries after RoPE.
 */
export type Carry = (tape: Tape, place: string, x: Value) => Value;

/** How one linear is scaled, and the rows that query heads repeat where each has spikes of its own. */
interface Applied {
  readonly columns?: Value | undefined;
  readonly rows?: Value | undefined;
  /** What the bias is divided by: the reciprocal of `rows`. */
  readonly divisor?: Value | undefined;
  readonly repeated?: DeviceTensor | undefined;
}

/** A layer whose tensors are rounded as its steps have it. */
export function prepareTrainingLayer(runner: Runner, options: TrainingLayerOptions): TrainingLayer {
  const roundings = prepareRoundings(runner, options);
  return prepareTapeLayer(runner, options, (tape, place, x) => {
    const rounding = roundings.get(place);
    return rounding ? tape.spikes(x, rounding) : x;
  });
}

/** Uploads a float layer for a tape. What is made lives as long as the runner. */
export function prepareTapeLayer(runner: Runner, options: TapeLayerOptions, carry: Carry): TrainingLayer {
  const { config, weights, settings, length } = options;
  const { heads: H, kvHeads: K, headSize: D, normEpsilon: eps } = config;
  const upload = (tensor: HostTensor): Value => ({ tensor: runner.upload(tensor), requiresGrad: false });
  const linears = new Map(
    weights.linears.map(({ entry, weight, bias }) => [
      entry.name,
      { weight: upload(weight as HostTensor), bias: bias && upload(bias) },
    ]),
  );
  const inputNorm = upload(weights.inputNorm);
  const mlpNorm = upload(weights.mlpNorm);
  const queries = uploadIds(runner, H * D, cachedChannel(config));
  // The published quantiser gives every query head its own steps for the keys and values that it shares.
  const repeated = settings.key === 'published' && spikesInCache(settings) && H > K ? queries : undefined;
  const blocks = settings.key === 'block' && spikesInCache(settings);
  const spread = prepareSpread(runner, config, queries);
  const rotation = prepareRotation(runner, config, length);

  return {
    forward(tape, parameters, x) {
      const scale = spread(tape, parameters);
      const over = (a: Value, divisor: Value | undefined): Value => (divisor ? tape.divide(a, divisor) : a);
      const linear = (name: string, from: Value, by: Applied): Value => {
        const { weight, bias } = linears.get(name)!;
        const clipping = { upper: parameters.get(`${name}.upper`), lower: parameters.get(`${name}.lower`) };
        const rounded = tape.roundWeight(
          weight,
          { columns: by.columns, rows: by.rows, ...clipping },
          settings.weightBits,
        );
        const scaledBias = bias && over(bias, by.divisor);
        const spikes = carry(tape, name, from);
        if (!by.repeated) return tape.linear(spikes, rounded, scaledBias);
        const repeatedBias = scaledBias && tape.gather(scaledBias, by.repeated);
        return tape.linear(spikes, tape.embedding(by.repeated, rounded), repeatedBias);
      };
      const normed = tape.rmsnorm(x, over(inputNorm, scale.qkv), eps);
      const q = linear('self_attn.q_proj', normed, {
        columns: scale.qkv,
        rows: scale.overQuery,
        divisor: scale.query,
      });
      const k = linear('self_attn.k_proj', normed, {
        columns: scale.qkv,
        rows: scale.key,
        divisor: scale.overKey,
        repeated,
      });
      const v = linear('self_attn.v_proj', normed, {
        columns: scale.qkv,
        rows: scale.overValue,
        divisor: scale.value,
        repeated,
      });
      const cached = { H, K: repeated ? H : K, D };
      const key = tape.rope(k, rotation, { H: cached.K, D });
      const carriedKey = carry(tape, 'key', key);
      const [query, value] = [
        carry(tape, 'query', tape.rope(q, rotation, { H, D })),
        carry(tape, 'value', v),
      ];
      const attended = blocks
        ? tape.attend(query, key, value, cached, { keys: carriedKey, block: KEY_BLOCK })
        : tape.attend(query, carriedKey, value, cached);
      const middle = tape.add(x, linear('self_attn.o_proj', attended, { columns: scale.output }));
      const normedMiddle = tape.rmsnorm(middle, over(mlpNorm, scale.gateUp), eps);
      const gate = linear('mlp.gate_proj', normedMiddle, { columns: scale.gateUp });
      const up = linear('mlp.up_proj', normedMiddle, { columns: scale.gateUp });
      const hidden = tape.swiglu(gate, up);
      const rotated = config.downRotation ? tape.hadamard(hidden) : hidden;
      return tape.add(middle, linear('mlp.down_proj', rotated, {}));
    },
  };
}

const uploadIds = (runner: Runner, length: number, of: (i: number) => number): DeviceTensor =>
  runner.upload(
    hostTensor(
      'int32',
      Int32Array.from({ length }, (_, i) => of(i)),
    ),
  );

/** The scales spread over query heads and rotary pairs, and their reciprocals. */
function prepareSpread(runner: Runner, { heads, kvHeads, headSize }: DecoderConfig, queries: DeviceTensor) {
  const ones = (length: number): Value => ({
    tensor: runner.upload(hostTensor('float32', new Float32Array(length).fill(1))),
    requiresGrad: false,
  });
  const cached = kvHeads * headSize;
  const pairs = uploadIds(runner, cached, (i) => pairOf(i, headSize));
  const [cachedOnes, queryOnes] = [ones(cached), ones(heads * headSize)];
  return (tape: Tape, parameters: ParameterValues) => {
    const named = (name: ScaleName): Value | undefined => parameters.get(name);
    const value = named('value');
    const pairScales = named('key');
    const tied = pairScales && pairScales.tensor.dims[0] < cached;
    const key = tied ? tape.gather(pairScales, pairs) : pairScales;
    const query = key && tape.gather(key, queries);
    return {
      qkv: named('qkv'),
      gateUp: named('gateUp'),
      value,
      overValue: value && tape.divide(cachedOnes, value),
      output: value && tape.gather(value, queries),
      key,
      overKey: key && tape.divide(cachedOnes, key),
      query,
      overQuery: query && tape.divide(queryOnes, query),
    };
  };
}

function prepareRotation(runner: Runner, { rope, headSize }: DecoderConfig, length: number): Rotation {
  const { cos, sin } = ropeTables(rope, headSize, length);
  return createRotation(runner, cos.data as Float32Array, sin.data as Float32Array, length);
}
