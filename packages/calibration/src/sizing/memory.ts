/** What a run will hold in memory and on disk, from the config alone. */
import { packedBytes } from '@spikellm/backend';
import { FLOAT_BITS, layerLinears, type DecoderConfig } from '@spikellm/graph';
import { hasSalience, needsGradients, needsScores, type QuantizeSettings } from '../settings.ts';

const F32 = 4;

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
  readonly part: 'check' | 'embed' | 'calibrate' | 'gradients' | 'train' | 'encode' | 'tables';
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
  /** While a layer is read its largest linear stands beside it as it is stored. */
  const reading = storedBytes < F32 ? storedBytes * largest : 0;
  const streams = streamCount(config, settings) * samples * length * hiddenSize * F32;
  const resident = Math.min(streams, memory);
  const folds = settings.pipeline !== 'rtn';
  const packed = packedLayer(config, settings);

  const parts: PartSize[] = [{ part: 'check', bytes: storedBytes * Math.max(table, largest) }];
  const add = (part: PartSize['part'], bytes: number): void => void parts.push({ part, bytes });
  const forward = resident + layer + Math.max(reading, layer + activations.forward);
  if (needsGradients(settings)) {
    const logits = 3 * length * vocabularySize * F32;
    const folded = folds ? 2 * layer : layer;
    add('gradients', resident + Math.max(folded + 2 * layer + activations.training, F32 * table + logits));
  }
  if (settings.pipeline === 'omniquant' || needsGradients(settings) || calibrates(settings)) {
    add('embed', resident + 2 * F32 * table);
    if (settings.pipeline !== 'omniquant') add('calibrate', forward);
  }
  if (settings.pipeline === 'omniquant') {
    add('train', resident + 3 * layer + gradientBytes + activations.training);
  }
  add('encode', resident + layer + Math.max(reading, (folds ? layer : 0) + largest + packed));
  const tables = tiedEmbeddings ? 1 : 2;
  add('tables', tables * table * (settings.headBits < FLOAT_BITS ? F32 + 2 : storedBytes));
  const written = settings.headBits < FLOAT_BITS ? 1 : storedBytes;
  return {
    parts,
    checkpointBytes: config.layers * packed + tables * table * written,
    spilledBytes: Math.max(0, streams - memory),
  };
}

const calibrates = (settings: QuantizeSettings): boolean =>
  settings.pipeline === 'smoothquant' || needsScores(settings);

/** Activation streams [samples, length, hidden] that are kept at one time. */
function streamCount({ layers }: DecoderConfig, settings: QuantizeSettings): number {
  const training = settings.pipeline === 'omniquant' ? (settings.training.augmentedLoss ? 3 : 2) : 0;
  return Math.max(needsGradients(settings) ? layers + 1 : 0, training, calibrates(settings) ? 1 : 0);
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
function packedLayer(config: DecoderConfig, { weightBits, ...settings }: QuantizeSettings): number {
  const salient = hasSalience({ weightBits, ...settings }) ? 4 * settings.salient : 0;
  return layerLinears(config, 0).reduce(
    (sum, { inputs, outputs }) => sum + outputs * (packedBytes(inputs, weightBits) + 6) + salient * inputs,
    2 * F32 * config.hiddenSize,
  );
}
