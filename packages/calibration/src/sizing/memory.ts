/** What a run will hold in memory and on disk, from the config alone. */
import { packedBytes } from '@spikellm/backend';
import { FLOAT_BITS, layerLinears, type DecoderConfig, type LinearEntry } from '@spikellm/graph';
import { WEIGHT_STEP_CHOICES } from '../gptq/settings.ts';
import { hasSalience, needsGradients, needsScores, type QuantizeSettings } from '../settings.ts';
import { compensationBytes } from './compensation.ts';
import { garbageBytes, keptBytes } from './waiting.ts';

const F32 = 4;
const TRIT_BITS = 2;

export interface SizingOptions {
  readonly config: DecoderConfig;
  readonly settings: QuantizeSettings;
  /** Calibration windows, and tokens in each. */
  readonly samples: number;
  readonly length: number;
  /** Bytes of activations between layers that stay in memory. */
  readonly memory: number;
  /** Bytes of a weight as the source stores it. */
  readonly storedBytes: number;
}

/** The most bytes that a part of a run holds at once, beyond what the process has anyway. */
export interface PartSize {
  readonly part: 'check' | 'embed' | 'calibrate' | 'gradients' | 'train' | 'compensate' | 'encode' | 'tables';
  readonly bytes: number;
}

export interface RunSize {
  readonly parts: readonly PartSize[];
  /** Of the finished folder. */
  readonly checkpointBytes: number;
  /** Of activations that have no room in memory, while the run goes. */
  readonly spilledBytes: number;
}

/** Weights of the linears of one layer. */
export const layerParameters = (config: DecoderConfig): number =>
  layerLinears(config, 0).reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);

/**
 * Sizes of all parts of a run. A layer in float32 is W bytes: reading holds it once in host memory, a pass once more on the
 * device, training also its rounded copy and, as the workspace keeps tensors by shape, one gradient of each shape of a
 * linear; folding scales in makes a copy in host memory.
 */
export function sizeRun(options: SizingOptions): RunSize {
  const { config, settings, samples, length, memory, storedBytes } = options;
  const { hiddenSize, vocabularySize, tiedEmbeddings } = config;
  const linears = layerLinears(config, 0);
  const layer = F32 * layerParameters(config);
  const table = vocabularySize * hiddenSize;
  const largest = Math.max(...linears.map(({ inputs, outputs }) => inputs * outputs));
  const shapes = new Map(linears.map(({ inputs, outputs }) => [`${outputs} ${inputs}`, inputs * outputs]));
  const gradientBytes = F32 * [...shapes.values()].reduce((sum, size) => sum + size, 0);
  const activations = activationBytes(config, length);
  const rotated = settings.rotate !== 'none';
  /** What stands beside a tensor that is read: the same as it is stored, and copies on the way through rotations. */
  const beside = (size: number, copies: number): number =>
    size * (rotated ? storedBytes + copies * F32 : storedBytes < F32 ? storedBytes : 0);
  const reading = beside(largest, 7);
  const stream = samples * length * hiddenSize * F32;
  const counts = streamCounts(config, settings);
  const resident = (count: number): number => Math.min(count * stream, memory);
  const { pipeline } = settings;
  const folds = pipeline === 'smoothquant' || pipeline === 'omniquant';
  const packed = packedLayer(config, settings);

  const parts: PartSize[] = [{ part: 'check', bytes: storedBytes * Math.max(table, largest) }];
  const add = (part: PartSize['part'], bytes: number): void => void parts.push({ part, bytes });
  let before = 0;
  if (counts.gradients > 0) {
    const logits = 3 * length * vocabularySize * F32;
    const folded = folds ? 2 * layer : layer;
    const ofLayer = folded + 2 * layer + activations.training;
    const ofLoss = F32 * table + logits;
    const waiting = keptBytes(Math.min(ofLayer, ofLoss)) + garbageBytes(2 * counts.gradients * stream);
    add('gradients', resident(counts.gradients) + Math.max(ofLayer, ofLoss) + waiting);
    before = resident(counts.gradients) + ofLayer + ofLoss;
  }
  if (counts.layers > 0 || counts.gradients > 0) {
    const read = Math.max(2 * F32 * table, rotated ? beside(table, 5) : 0);
    add('embed', resident(Math.max(1, counts.layers)) + read);
  }
  const streams = resident(counts.layers);
  if (pipeline === 'omniquant') add('train', streams + 3 * layer + gradientBytes + activations.training);
  else if (pipeline === 'gptq') {
    add(
      'compensate',
      streams + Math.max(reading, compensationBytes(config, packed, activations.forward, before)),
    );
  } else if (counts.layers > 0) {
    add('calibrate', streams + layer + Math.max(reading, layer + activations.forward));
  }
  if (pipeline !== 'gptq') {
    const kept = pipeline === 'omniquant' ? streams : 0;
    add('encode', kept + layer + Math.max(reading, (folds ? layer : 0) + largest + packed));
  }
  const tables = tiedEmbeddings && !rotated ? 1 : 2;
  const packs = settings.headBits < FLOAT_BITS;
  const tableBytes = rotated ? F32 : storedBytes;
  add('tables', tables * table * (packs ? F32 + 2 : tableBytes) + (rotated ? beside(table, 4) : 0));
  return {
    parts,
    checkpointBytes: config.layers * packed + tables * table * (packs ? 1 : tableBytes),
    spilledBytes: Math.max(0, Math.max(counts.gradients, counts.layers) * stream - memory),
  };
}

/** Activation streams [samples, length, hidden] that are kept at one time: of the gradients, and after that. */
function streamCounts(
  { layers }: DecoderConfig,
  settings: QuantizeSettings,
): { readonly gradients: number; readonly layers: number } {
  const { pipeline, training } = settings;
  const scored = pipeline === 'smoothquant' || needsScores(settings) ? 1 : 0;
  return {
    gradients: needsGradients(settings) ? layers + 1 : 0,
    layers: pipeline === 'omniquant' ? (training.augmentedLoss ? 3 : 2) : pipeline === 'gptq' ? 1 : scored,
  };
}

/** Activations of one window within one layer: of a pass, and of a training step with its gradients. */
function activationBytes(
  { hiddenSize: C, intermediateSize: I, heads, kvHeads, headSize }: DecoderConfig,
  length: number,
): { readonly forward: number; readonly training: number } {
  const q = heads * headSize;
  const cached = kvHeads * headSize;
  // x, normed, middle, normed, out; q, rotated, attended; k, rotated, v; gate, up, product.
  const kept = 5 * C + 3 * q + 3 * cached + 3 * I;
  // Scores of the pass look at the outputs of each linear and at a product as wide as its input.
  const forward = F32 * length * (kept + 2 * Math.max(C, I));
  // Rounded copies of what each linear reads and of q, k and v; gradients come and go.
  const rounded = 3 * C + q + I + q + 2 * cached;
  return { forward, training: F32 * length * (kept + rounded + 3 * Math.max(C, I)) };
}

/** A layer of the checkpoint. */
function packedLayer(config: DecoderConfig, settings: QuantizeSettings): number {
  const salient = hasSalience(settings) ? 4 * settings.salient : 0;
  return layerLinears(config, 0).reduce(
    (sum, linear) => sum + packedWeight(linear, settings) + salient * linear.inputs,
    2 * F32 * config.hiddenSize,
  );
}

/** Codes, scales and zero points; or trits, scales of each group of columns, and what says how many steps weights have. */
function packedWeight(
  { inputs, outputs }: LinearEntry,
  { pipeline, weightBits, gptq }: QuantizeSettings,
): number {
  if (pipeline !== 'gptq' || gptq.weights === 'integer')
    return outputs * (packedBytes(inputs, weightBits) + 6);
  const { equalSteps, weightSteps, salientSteps, salientWeights, weightGroup = inputs, weightUnit } = gptq;
  const steps = equalSteps ?? weightSteps + salientWeights * (salientSteps - weightSteps);
  const scales = F32 * weightClasses(gptq) * Math.ceil(inputs / weightGroup);
  const map = weightUnit === 'element' ? outputs * Math.ceil(inputs / 8) : inputs;
  return outputs * ((TRIT_BITS * steps * inputs) / 8 + scales) + map;
}

/** Numbers of steps that have scales. Elements have two also where one has no weights; channels only those that some have. */
function weightClasses({
  equalSteps,
  weightUnit,
  weightSteps,
  salientSteps,
  salientWeights,
}: QuantizeSettings['gptq']): number {
  if (weightUnit === 'element') return 2;
  if (equalSteps !== undefined) return WEIGHT_STEP_CHOICES.length;
  return weightSteps !== salientSteps && salientWeights > 0 && salientWeights < 1 ? 2 : 1;
}
