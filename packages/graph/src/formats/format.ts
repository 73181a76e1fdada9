/** What a weight format is: how the weights of a linear lie in a checkpoint, and how they run. */
import type { DeviceTensor, GifRange, HostTensor, PreparedKernel, Runner, Schema } from '@spikellm/backend';
import { hostTensor } from '../host-tensor.ts';
import { stepClasses } from '../salient.ts';
import type { TensorSource } from '../tensors.ts';

/** Rows of weights that a format stores together: a linear, an embedding or a head. `prefix` is its name without `.weight`. */
export interface WeightRows {
  readonly prefix: string;
  readonly outputs: number;
  readonly inputs: number;
}

/** Spikes of an input: codes [N, C], scales and zero points of each class of steps, see `gif_encode_f32`. */
export interface Spikes {
  readonly codes: DeviceTensor;
  readonly scale: DeviceTensor;
  readonly zero: DeviceTensor;
}

/** How an input becomes spikes, ready to run. */
export interface Encoding {
  readonly gif: { readonly bits: number; readonly range: GifRange; readonly classes: readonly number[] };
  /** T of each channel, uint8 [C]. */
  readonly steps: HostTensor;
  readonly kernel: PreparedKernel<'gif_encode_f32'>;
}

/** @param steps - T of each channel, [C] */
export function prepareEncoding(
  runner: Runner,
  steps: Uint8Array,
  { bits, range }: { readonly bits: number; readonly range: GifRange },
): Encoding {
  const gif = { bits, range, classes: stepClasses(steps) };
  const tensor = hostTensor('uint8', steps);
  return { gif, steps: tensor, kernel: runner.prepare('gif_encode_f32', gif, { steps: tensor }) };
}

/** Packed whole-number rows as kernels take them: w[o,c] = (code[o,c] - zero[o]) scale[o]. */
export interface PackedRows {
  readonly bits: number;
  /** C. */
  readonly inputs: number;
  /** uint8 [O, ceil(C bits / 8)], see `packCodes`. */
  readonly codes: HostTensor;
  /** float32 [O]. */
  readonly scale: HostTensor;
  /** int32 [O]. */
  readonly zero: HostTensor;
}

/** Spikes of the weights of each input channel, all outputs together. */
export interface WeightSpikes {
  /** Mean T of a channel's weights, [C]. */
  readonly steps: Float64Array;
  /** Trits that are not 0, [C]. */
  readonly trits: Float64Array;
}

/** The weight [O, C] of one linear in host memory. What it can do beside running depends on its format. */
export interface Weight {
  readonly format: WeightFormat;
  /** Its tensors in a checkpoint, in the order in which they are written. */
  tensors(prefix: string): [string, HostTensor][];
  /** Makes y = x W^T + b ready, for inputs in float. `device` is the weight on the device, where that is float32. */
  onFloats(runner: Runner, bias: HostTensor | undefined): FloatLinear;
  /** The same for inputs that are spikes of `encoding`. */
  onSpikes(runner: Runner, bias: HostTensor | undefined, encoding: Encoding): (input: Spikes) => DeviceTensor;
  /** float32 [O, C], of weights that are floats: what calibration begins with. */
  readonly dense?: HostTensor;
  /** Of weights that kernels of several linears take. */
  readonly packed?: PackedRows;
  /** Of weights that are spikes themselves. */
  spikes?(): WeightSpikes;
}

export interface FloatLinear {
  readonly run: (x: DeviceTensor) => DeviceTensor;
  readonly device?: DeviceTensor;
}

/** What the headers of a checkpoint say of a weight. */
export interface StoredWeight {
  /** Names and shapes of its tensors. */
  readonly tensors: readonly (readonly [name: string, shape: readonly number[]])[];
  /** Mean steps of the weights of each input channel, [C]; null where weights have no steps. */
  readonly steps: Float64Array | null;
}

/** One format with its settings. */
export interface WeightFormat {
  /** As `weights.kind` of config.json has it. */
  readonly kind: string;
  /** For people, such as `W4`. */
  readonly title: string;
  /** Bits of a weight in one product: those of its code, 2 of a trit, 16 of a float. */
  readonly productBits: number;
  /** Names of its tensors. */
  names(prefix: string): string[];
  /** Errors: MISSING, SHAPE, DTYPE, INVALID_ARGUMENT. */
  read(source: TensorSource, rows: WeightRows, signal?: AbortSignal): Promise<Weight>;
  /** Reads no more than it must to know names, shapes and steps. Errors: as `read`. */
  describe(source: TensorSource, rows: WeightRows, signal?: AbortSignal): Promise<StoredWeight>;
  /** An embedding or a head, for formats that have them. Errors: as `read`. */
  readTable?(runner: Runner, source: TensorSource, rows: WeightRows, signal?: AbortSignal): Promise<Table>;
}

/** Rows of the vocabulary on the device, and the kernels that read them, made ready when asked for. */
export interface Table {
  /** ids [N] to rows [N, C]. */
  gather(): (ids: DeviceTensor) => DeviceTensor;
  /** x [N, C] to logits [N, V]. */
  product(): (x: DeviceTensor) => DeviceTensor;
}

/** A kind of format: one file of this folder. */
export interface FormatKind<Settings> {
  /** As `weights.kind` of config.json has it; the one without a name is the first that there was. */
  readonly kind: string | undefined;
  /** Of `weights` in quantization_config. */
  readonly schema: Schema<Settings>;
  create(settings: Settings): WeightFormat;
}
