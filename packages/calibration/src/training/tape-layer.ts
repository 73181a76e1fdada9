/** A decoder layer on a tape, as its spiking version will run: what training and the gradient pass differentiate. */
import { prepareTapeGraph, type Tape, type TapeHooks, type TapeWeight, type Value } from '@spikellm/autograd';
import type { DeviceTensor, HostTensor, Runner } from '@spikellm/backend';
import {
  attentionOf,
  hostTensor,
  normScale,
  type LayerGraph,
  type LayerWeights,
  type ModelGraph,
} from '@spikellm/graph';
import { prepareFakeQuantisation } from '../fake-quantisation.ts';
import { cacheSpikes, KEY_BLOCK, type CommonSettings } from '../settings/settings.ts';
import type { LayerSteps } from '../steps.ts';
import { denseOf } from '../transforms/apply-scales.ts';
import { cachedChannel, type Fold, type FoldPart } from '../transforms/folds.ts';
import { trainedFolds, type LayerParameters } from './parameters.ts';

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
  readonly graph: Pick<ModelGraph, 'rotary'>;
  readonly layer: LayerGraph;
  readonly weights: LayerWeights;
  readonly settings: CommonSettings;
  /** Tokens of a window. */
  readonly length: number;
}

export interface TrainingLayerOptions extends TapeLayerOptions {
  readonly steps: LayerSteps;
}

/** A layer whose tensors are rounded as its steps have it. */
export function prepareTrainingLayer(runner: Runner, options: TrainingLayerOptions): TrainingLayer {
  const roundings = prepareFakeQuantisation(runner, options);
  return prepareTapeLayer(runner, options, (tape, place, x) => {
    const rounding = roundings.get(place);
    return rounding ? tape.spikes(x, rounding) : x;
  });
}

/** Uploads a float layer for a tape. What is made lives as long as the runner. */
export function prepareTapeLayer(
  runner: Runner,
  { graph, layer, weights, settings, length }: TapeLayerOptions,
  carry: NonNullable<TapeHooks['carry']>,
): TrainingLayer {
  const upload = (tensor: HostTensor): Value => ({ tensor: runner.upload(tensor), requiresGrad: false });
  const uploaded = ({ weight, bias }: { weight: HostTensor; bias?: HostTensor | undefined }): TapeWeight => ({
    weight: upload(weight),
    bias: bias && upload(bias),
  });
  const linears = new Map(
    [...weights.linears].map(([name, linear]) => [
      name,
      uploaded({ weight: denseOf(linear), bias: linear.bias }),
    ]),
  );
  const norms = new Map(
    [...weights.norms].map(([name, norm]) => [name, uploaded({ weight: normScale(norm), bias: norm.bias })]),
  );
  const repeated = prepareRepeated(runner, layer, settings);
  const spread = prepareScales(runner, trainedFolds(layer));
  const tapeGraph = prepareTapeGraph(runner, layer, graph.rotary, length);

  return {
    forward(tape, parameters, x) {
      const scales = spread(tape, parameters);
      const over = (a: Value, divisor: Value | undefined): Value => (divisor ? tape.divide(a, divisor) : a);
      const hooks: TapeHooks = {
        carry,
        keyBlock: settings.key === 'block' && cacheSpikes(settings) ? KEY_BLOCK : undefined,
        norm(_, { name }) {
          const { weight, bias } = norms.get(name)!;
          const divisor = scales.get(`${name} norm`)?.divisor;
          return { weight: over(weight, divisor), bias: bias && over(bias, divisor) };
        },
        linear(_, { name }) {
          const { weight, bias } = linears.get(name)!;
          const rows = scales.get(`${name} rows`);
          const training = {
            columns: scales.get(`${name} columns`)?.factor,
            rows: rows?.factor,
            upper: parameters.get(`${name}.upper`),
            lower: parameters.get(`${name}.lower`),
          };
          const rounded = tape.roundWeight(weight, training, settings.weightBits);
          const scaled = bias && over(bias, rows?.divisor);
          const ids = repeated.get(name);
          if (ids === undefined) return { weight: rounded, bias: scaled };
          return { weight: tape.embedding(ids, rounded), bias: scaled && tape.gather(scaled, ids) };
        },
      };
      return tapeGraph.forward(tape, x, hooks);
    },
  };
}

/** What one part of a fold is multiplied by, and what that is the reciprocal of. */
interface Scaled {
  readonly factor?: Value | undefined;
  readonly divisor: Value;
}

/** The scales of folds as they meet rows, columns and norms, by name of the node and its side. */
function prepareScales(runner: Runner, folds: readonly Fold[]) {
  const prepared = folds.map((fold) => {
    const tied = fold.tied && uploadIds(runner, fold.channels, fold.tied.at);
    const parts = fold.parts.map((part) => {
      const length = partLength(part, fold);
      const ones = upload(runner, new Float32Array(length).fill(1));
      return { part, ones, at: part.at && uploadIds(runner, length, part.at) };
    });
    return { fold, tied, parts };
  });
  return (tape: Tape, parameters: ParameterValues): ReadonlyMap<string, Scaled> => {
    const scales = new Map<string, Scaled>();
    for (const { fold, tied, parts } of prepared) {
      const own = parameters.get(fold.name);
      if (own === undefined) continue;
      const spread = tied && own.tensor.dims[0] < fold.channels ? tape.gather(own, tied) : own;
      for (const { part, ones, at } of parts) {
        const met = at ? tape.gather(spread, at) : spread;
        const key = `${part.node} ${part.side}`;
        if (part.side === 'norm') scales.set(key, { divisor: met });
        else if (part.side === 'columns') scales.set(key, { factor: met, divisor: met });
        else {
          const inverse = tape.divide(ones, met);
          scales.set(
            key,
            part.power === 1 ? { factor: met, divisor: inverse } : { factor: inverse, divisor: met },
          );
        }
      }
    }
    return scales;
  };
}

/** Rows or columns that a part scales: those of the query heads where cached channels are repeated for them. */
const partLength = ({ at }: FoldPart, { channels, attention }: Fold): number =>
  at && attention ? attention.heads * attention.headSize : channels;

/**
 * Rows of keys and values that are repeated for the query heads that meet them, by name of the linear: the published
 * quantiser gives every query head its own steps for what it shares with others.
 */
function prepareRepeated(
  runner: Runner,
  layer: LayerGraph,
  settings: CommonSettings,
): ReadonlyMap<string, DeviceTensor> {
  const attention = attentionOf(layer);
  const { heads, kvHeads, headSize } = attention;
  if (settings.key !== 'whole' || !cacheSpikes(settings) || heads === kvHeads) return new Map();
  const ids = uploadIds(runner, heads * headSize, cachedChannel(attention));
  return new Map(cacheWriters(layer).map((name) => [name, ids]));
}

/** The linears that compute keys and values. */
function cacheWriters(layer: LayerGraph): string[] {
  const { k, v } = attentionOf(layer).inputs;
  const behind = (edge: typeof k): string => {
    const node = layer.nodes.find(({ output }) => output === edge)!;
    return node.kind === 'linear' ? node.name : behind(Object.values(node.inputs)[0]);
  };
  return [behind(k), behind(v)];
}

const upload = (runner: Runner, data: Float32Array): Value => ({
  tensor: runner.upload(hostTensor('float32', data)),
  requiresGrad: false,
});

const uploadIds = (runner: Runner, length: number, of: (i: number) => number): DeviceTensor =>
  runner.upload(
    hostTensor(
      'int32',
      Int32Array.from({ length }, (_, i) => of(i)),
    ),
  );
