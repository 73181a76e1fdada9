import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import type { Tensor } from 'onnxruntime-common';
import { bytesPerElement, checkFinite, dtypeOf, type SafetensorsDtype } from './dtype.ts';
import { writeFileAtomic } from './files.ts';
import { LENGTH_BYTES, METADATA } from './header.ts';
import type { FilesOption } from './store.ts';

/**
 * Writes a safetensors file: under a temporary name, flushed, then renamed, so that `path` is never half a file.
 *
 * The same tensors in the same order give the same bytes. Tensors of wider elements go first, in the given order
 * among equals, so that every tensor begins at a multiple of its element size, as readers that map the file need.
 *
 * Errors: DTYPE (a type that safetensors has not, or a tensor that is not in host memory), INVALID_ARGUMENT (a name
 * twice or reserved), NOT_FINITE (it could not be read back), OUT_OF_MEMORY (the disk is full), MISSING (the folder).
 *
 * @example
 * await writeSafetensors('tiny.safetensors', [['ones', new Tensor('float32', [1, 1], [2])]]);
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, Tensor]>,
  metadata?: Record<string, string>,
  { files = host.files() }: FilesOption = {},
): Promise<void> {
  const entries = sortedByWidth(Array.from(tensors, ([name, tensor]) => toEntry(path, name, tensor)));
  const header = headerBytes(path, entries, metadata);
  await writeFileAtomic(files, path, [header, ...entries.map(({ data }) => data)]);
}

interface Entry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

function toEntry(path: string, name: string, tensor: Tensor): Entry {
  const dtype = dtypeOf(tensor.type);
  if (dtype === undefined || tensor.location !== 'cpu') {
    throw new SpikeError('DTYPE', {
      where: `${path}: tensor ${name}`,
      expected: 'a type of safetensors, in host memory',
      received: `${tensor.type} in ${tensor.location}`,
    });
  }
  checkFinite(path, name, tensor);
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  return { name, dtype, shape: tensor.dims, data: new Uint8Array(buffer, byteOffset, byteLength) };
}

const sortedByWidth = (entries: readonly Entry[]): Entry[] =>
  entries.toSorted((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));

/** Length field and JSON, padded with spaces so that the data begins at a multiple of 8 bytes. */
function headerBytes(path: string, entries: readonly Entry[], metadata?: Record<string, string>): Uint8Array {
  const fields = new Map<string, unknown>(metadata === undefined ? [] : [[METADATA, metadata]]);
  let end = 0;
  for (const { name, dtype, shape, data } of entries) {
    if (fields.has(name) || name === METADATA) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: path,
        expected: 'a name of its own for each tensor',
        received: fields.has(name) ? `${name} twice` : name,
      });
    }
    fields.set(name, { dtype, shape, data_offsets: [end, (end += data.length)] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}
