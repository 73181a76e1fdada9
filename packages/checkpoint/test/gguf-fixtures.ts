/** GGUF files for tests, written from scratch, so that each of their parts may be wrong. */
import { createMemoryFiles, openGguf } from '../src/index.ts';

/** The id of a type of value, and the value. */
export type Entry = readonly [key: string, type: keyof typeof WRITERS | 'array', value: unknown, of?: number];

const WRITERS = {
  uint8: { id: 0, write: (value) => fixed(1, (view) => view.setUint8(0, Number(value))) },
  uint32: { id: 4, write: (value) => fixed(4, (view) => view.setUint32(0, Number(value), true)) },
  int32: { id: 5, write: (value) => fixed(4, (view) => view.setInt32(0, Number(value), true)) },
  float32: { id: 6, write: (value) => fixed(4, (view) => view.setFloat32(0, Number(value), true)) },
  bool: { id: 7, write: (value) => fixed(1, (view) => view.setUint8(0, Number(value))) },
  string: { id: 8, write: (value) => text(String(value)) },
  uint64: { id: 10, write: (value) => u64(BigInt(value as number | bigint)) },
} as const satisfies Record<string, { id: number; write: (value: unknown) => Uint8Array }>;

function fixed(bytes: number, set: (view: DataView) => void): Uint8Array {
  const array = new Uint8Array(bytes);
  set(new DataView(array.buffer));
  return array;
}

export const u32 = (value: number): Uint8Array => fixed(4, (view) => view.setUint32(0, value, true));
export const u64 = (value: bigint): Uint8Array => fixed(8, (view) => view.setBigUint64(0, value, true));

/** A string with its length in front. */
export function text(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return joined([u64(BigInt(bytes.length)), bytes]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function entryBytes([key, type, value]: Entry): Uint8Array {
  if (type !== 'array') return joined([text(key), u32(WRITERS[type].id), WRITERS[type].write(value)]);
  const [of, values] = value as [keyof typeof WRITERS, unknown[]];
  const { id, write } = WRITERS[of];
  return joined([text(key), u32(9), u32(id), u64(BigInt(values.length)), ...values.map(write)]);
}

/** A tensor; dimensions as in the file, the length of a row first. */
export interface TensorParts {
  readonly name: string;
  readonly dimensions: readonly (number | bigint)[];
  readonly type?: number;
  readonly data?: Uint8Array | Float32Array;
  /** Where its data is said to be; default: behind those before it. */
  readonly offset?: number | bigint;
}

export interface GgufParts {
  readonly magic?: string;
  readonly version?: number;
  readonly entries?: readonly Entry[];
  readonly entryCount?: bigint;
  readonly tensors?: readonly TensorParts[];
  readonly tensorCount?: bigint;
  /** In place of all entries. */
  readonly rawEntries?: Uint8Array;
  readonly alignment?: number;
}

const padding = (length: number, alignment: number): Uint8Array =>
  new Uint8Array((alignment - (length % alignment)) % alignment);

/** The bytes of a file. */
export function ggufBytes({
  magic = 'GGUF',
  version = 3,
  entries = [],
  tensors = [],
  entryCount = BigInt(entries.length),
  tensorCount = BigInt(tensors.length),
  rawEntries = joined(entries.map(entryBytes)),
  alignment = 32,
}: GgufParts): Uint8Array<ArrayBuffer> {
  const data: Uint8Array[] = [];
  let dataBytes = 0;
  const infos = tensors.map(
    ({ name, dimensions, type = 0, data: values = new Uint8Array(0), offset = dataBytes }) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      data.push(bytes, padding(bytes.length, alignment));
      dataBytes += bytes.length + padding(bytes.length, alignment).length;
      const sizes = dimensions.map((dimension) => u64(BigInt(dimension)));
      return joined([text(name), u32(dimensions.length), ...sizes, u32(type), u64(BigInt(offset))]);
    },
  );
  const header = joined([
    new TextEncoder().encode(magic),
    u32(version),
    u64(tensorCount),
    u64(entryCount),
    rawEntries,
    ...infos,
  ]);
  return joined([header, padding(header.length, alignment), ...data]);
}

/** A number for each place: small, whole, and told apart by rows. */
export const counting = (rows: number, columns: number): Float32Array =>
  Float32Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns) + (i % columns) / 64);

export function matrix(name: string, rows: number, columns: number): TensorParts {
  return { name, dimensions: [columns, rows], data: counting(rows, columns) };
}

export const vector = (name: string, ...values: number[]): TensorParts => ({
  name,
  dimensions: [values.length],
  data: Float32Array.from(values),
});

/** Metadata of a model of width 8 with 2 heads over 1 of keys. */
export const entriesOf = (architecture: string, ...more: Entry[]): Entry[] => {
  const own = (key: string) => `${architecture}.${key}`;
  const given = new Set(more.map(([key]) => key));
  const common: Entry[] = [
    ['general.architecture', 'string', architecture],
    [own('block_count'), 'uint32', 1],
    [own('context_length'), 'uint32', 128],
    [own('embedding_length'), 'uint32', 8],
    [own('feed_forward_length'), 'uint32', 16],
    [own('attention.head_count'), 'uint32', 2],
    [own('attention.head_count_kv'), 'uint32', 1],
    [own('attention.layer_norm_rms_epsilon'), 'float32', 1e-5],
    [own('rope.freq_base'), 'float32', 5e5],
  ];
  return [...common.filter(([key]) => !given.has(key)), ...more];
};

export const EMBEDDING = matrix('token_embd.weight', 4, 8);

/** A model in memory. */
export function opened(parts: GgufParts, path = 'm.gguf') {
  return openGguf(path, { files: createMemoryFiles([[path, new Blob([ggufBytes(parts)])]]) });
}
