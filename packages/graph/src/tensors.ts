/** Where weights come from, and how they are read. */
import { SpikeError, type HostTensor } from '@spikellm/backend';

export interface TensorInfo {
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface TensorReadOptions {
  readonly as?: 'float32' | 'stored';
  readonly allocate?: (bytes: number) => ArrayBuffer;
  readonly signal?: AbortSignal;
}

/** Tensors by name. `@spikellm/checkpoint` has one for folders. */
export interface TensorSource {
  names(): Iterable<string>;
  info(name: string): TensorInfo | undefined;
  /**
   * One tensor in host memory, checked to be finite. Floats come as float32, with `as: 'stored'` in the type that stores
   * them. A source that makes buffers for the tensor takes them from `allocate`, where that is given.
   */
  read(name: string, options?: TensorReadOptions): Promise<HostTensor>;
}

/** Reads a weight and holds it against its shape. Errors: MISSING, SHAPE. */
export async function readTensor(
  source: TensorSource,
  name: string,
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<HostTensor> {
  checkTensor(source, name, shape);
  return source.read(name, signal === undefined ? {} : { signal });
}

/** As `readTensor`, for float32 numbers. Errors: also DTYPE for a tensor of another type, integers for example. */
export async function readFloats(
  source: TensorSource,
  name: string,
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<HostTensor> {
  checkFloat(source, name, shape);
  return readTensor(source, name, shape, signal);
}

/** As `readFloats`, for scales. Errors: also INVALID_ARGUMENT for one that is not above 0. */
export async function readScale(
  source: TensorSource,
  name: string,
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<HostTensor> {
  const scale = await readFloats(source, name, shape, signal);
  const wrong = (scale.data as Float32Array).find((value) => !(value > 0));
  if (wrong === undefined) return scale;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: name,
    expected: 'scales above 0',
    received: String(wrong),
  });
}

/** Reads whole numbers of one type. Errors: MISSING, SHAPE, DTYPE. */
export async function readIntegers(
  source: TensorSource,
  name: string,
  type: 'uint8' | 'int16' | 'int32',
  shape: readonly number[],
  signal?: AbortSignal,
): Promise<HostTensor> {
  const tensor = await readTensor(source, name, shape, signal);
  if (tensor.type === type) return tensor;
  throw new SpikeError('DTYPE', {
    where: name,
    expected: `${type} numbers, as docs/checkpoint.md has them`,
    received: tensor.type,
  });
}

/** Holds the header of a tensor against the shape that the config asks for. Errors: MISSING, SHAPE. */
export function checkTensor(source: TensorSource, name: string, shape: readonly number[]): void {
  const info = source.info(name);
  if (info === undefined) {
    throw new SpikeError('MISSING', {
      where: 'model weights',
      expected: `tensor ${name}`,
      received: 'a model without it',
    });
  }
  if (info.shape.join() !== shape.join()) {
    throw new SpikeError('SHAPE', {
      where: name,
      expected: `[${shape.join(', ')}] as config.json has it`,
      received: `[${info.shape.slice(0, 8).join(', ')}]`,
    });
  }
}

/** As `checkTensor`, for a tensor that has to hold floats. Errors: also DTYPE. */
export function checkFloat(source: TensorSource, name: string, shape: readonly number[]): void {
  checkTensor(source, name, shape);
  const { dtype } = source.info(name)!;
  if (/^b?f(loat)?(16|32|64)$/i.test(dtype)) return;
  throw new SpikeError('DTYPE', {
    where: name,
    expected: 'a weight in F16, BF16, F32 or F64',
    received: dtype,
    remedy: 'take the float model that this one was made from',
  });
}
