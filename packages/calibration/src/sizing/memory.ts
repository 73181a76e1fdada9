/** What a run will hold in memory and on disk, from the config alone. */
import {
  FLOAT_BITS,
  inputSites,
  layerWeights,
  globalWeights,
  tables,
  type LayerGraph,
  type ModelGraph,
} from '@spikellm/graph';
import { ownSettings, pipelineOf } from '../pipelines/index.ts';
import { hasSalience, needsGradients, needsStatistics, type QuantizeSettings } from '../settings/settings.ts';
import { layerParameters, linearsOf, plainRowBytes, type PartSize } from './pipeline-size.ts';
import { garbageBytes, keptBytes } from './waiting.ts';

const F32 = 4;

export interface SizingOptions {
  readonly graph: ModelGraph;
  readonly settings: QuantizeSettings;
  /** Calibration windows, and tokens in each. */
  readonly samples: number;
  readonly length: number;
  /** Bytes of activations between layers that stay in memory. */
  readonly memory: number;
  /** Bytes of a weight as the source stores it. */
  readonly storedBytes: number;
}

export interface RunSize {
  readonly parts: readonly PartSize[];
  /** Of the finished folder. */
  readonly checkpointBytes: number;
  /** Of activations that have no room in memory, while the run goes. */
  readonly spilledBytes: number;
}

/**
 * Sizes of all parts of a run. A layer in float32 is W bytes: reading holds it once in host memory, a pass once more on the
 * device; folding scales in makes a copy in host memory.
 */
export function sizeRun(options: SizingOptions): RunSize {
  const { graph, settings, samples, length, memory, storedBytes } = options;
  const { hiddenSize, vocabularySize } = graph.config;
  const pipeline = pipelineOf(settings);
  const own = ownSettings(settings);
  const layer = largestLayer(graph);
  const weights = F32 * layerParameters(layer);
  const table = Math.max(...tables(graph).map(({ outputs, inputs }) => outputs * inputs));
  const ends = globalWeights(graph)
    .filter(({ role }) => role !== 'table')
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
  const largest = Math.max(...linearsOf(layer).map(({ inputs, outputs }) => inputs * outputs));
  const activations = activationBytes(layer, length);
  const rotated = settings.rotate !== 'none';
  /** What stands beside a tensor that is read: the same as it is stored, and copies on the way through rotations. */
  const beside = (size: number, copies: number): number =>
    size * (rotated ? storedBytes + copies * F32 : storedBytes < F32 ? storedBytes : 0);
  const reading = beside(largest, 7);
  const stream = samples * length * hiddenSize * F32;
  const counts = streamCounts(graph, settings);
  const resident = (count: number): number => Math.min(count * stream, memory);
  const packed = packedLayer(layer, settings);
  const { folds } = pipeline.size;

  const parts: PartSize[] = [{ part: 'check', bytes: storedBytes * Math.max(table, largest) }];
  const add = (part: PartSize['part'], bytes: number): void => void parts.push({ part, bytes });
  let before = 0;
  if (counts.gradients > 0) {
    const logits = 3 * length * vocabularySize * F32;
    const folded = folds ? 2 * weights : weights;
    const ofLayer = folded + 2 * weights + activations.training;
    const ofLoss = F32 * table + logits;
    const waiting = keptBytes(Math.min(ofLayer, ofLoss)) + garbageBytes(2 * counts.gradients * stream);
    add('gradients', resident(counts.gradients) + Math.max(ofLayer, ofLoss) + waiting);
    before = resident(counts.gradients) + ofLayer + ofLoss;
  }
  if (counts.layers > 0 || counts.gradients > 0) {
    const read = Math.max(2 * F32 * table, rotated ? beside(table, 5) : 0);
    add('embed', resident(Math.max(1, counts.layers)) + read);
  }
  const work = {
    layer,
    layers: graph.layers.length,
    weights,
    largest: F32 * largest,
    packed,
    reading,
    before,
  };
  parts.push(...pipeline.size.parts({ ...work, ...activations, streams: resident(counts.layers) }, own));
  const stored = tables(graph).length === 1 && !rotated ? 1 : 2;
  const packs = settings.embeddingBits < FLOAT_BITS;
  const tableBytes = rotated ? F32 : storedBytes;
  add('tables', stored * table * (packs ? F32 + 2 : tableBytes) + (rotated ? beside(table, 4) : 0));
  const layers = graph.layers.reduce((sum, each) => sum + packedLayer(each, settings), 0);
  return {
    parts,
    checkpointBytes: layers + stored * table * (packs ? 1 : tableBytes) + storedBytes * ends,
    spilledBytes: Math.max(0, Math.max(counts.gradients, counts.layers) * stream - memory),
  };
}

/** The layer with the most weights. */
export const largestLayer = ({ layers }: ModelGraph): LayerGraph =>
  layers.reduce((most, each) => (layerParameters(each) > layerParameters(most) ? each : most));

/** Activation streams [samples, length, hidden] that are kept at one time: of the gradients, and after that. */
function streamCounts(
  { layers }: ModelGraph,
  settings: QuantizeSettings,
): { readonly gradients: number; readonly layers: number } {
  const asked = pipelineOf(settings).streams?.(settings, ownSettings(settings)) ?? {};
  const count = Object.keys(asked).length;
  return {
    gradients: needsGradients(settings) ? layers.length + 1 : 0,
    layers: Math.max(count, needsStatistics(settings) ? 1 : 0),
  };
}

/** Activations of one window within one layer: of a pass, and of a training step with its gradients. */
function activationBytes(
  layer: LayerGraph,
  length: number,
): { readonly forward: number; readonly training: number } {
  const sum = (widths: readonly number[]): number => widths.reduce((total, width) => total + width, 0);
  const kept = layer.input.width + sum(layer.nodes.map(({ output }) => output.width));
  const widest = Math.max(...inputSites(layer).map(({ channels }) => channels));
  // Scores of the pass look at the outputs of each linear and at a product as wide as its input.
  const forward = F32 * length * (kept + 2 * widest);
  // Rounded copies of what each linear reads and of q, k and v; gradients come and go.
  const read = inputSites(layer).flatMap(({ channels, readers }) => readers.map(() => channels));
  const cached = layer.nodes.flatMap((node) =>
    node.kind === 'attention' ? Object.values(node.inputs).map(({ width }) => width) : [],
  );
  const rounded = sum(read) / 2 + sum(cached);
  return { forward, training: F32 * length * (kept + rounded + 3 * widest) };
}

/** A layer of the checkpoint. */
function packedLayer(layer: LayerGraph, settings: QuantizeSettings): number {
  const { size } = pipelineOf(settings);
  const own = ownSettings(settings);
  const salient = hasSalience(settings) ? 4 * settings.salientFraction : 0;
  // Norms and biases.
  const floats = layerWeights(layer).filter(({ role }) => role !== 'linear');
  return linearsOf(layer).reduce(
    (sum, rows) =>
      sum + (size.rowBytes?.(rows, own) ?? plainRowBytes(rows, settings.weightBits)) + salient * rows.inputs,
    floats.reduce((sum, { shape }) => sum + F32 * shape.reduce((a, b) => a * b), 0),
  );
}
