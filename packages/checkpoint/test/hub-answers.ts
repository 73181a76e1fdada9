import { createDigest } from '../src/index.ts';
import { safetensorsBytes } from './any-fixtures.ts';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';
export const ONE = safetensorsBytes({ a: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } }, [1, 2, 3, 4]);
export const TWO = safetensorsBytes({ b: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, [5]);

/** A JSON file. */
export const text = (value: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify(value));

export type Repository = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** A sharded repository with files that a model folder does not need. */
export const REPOSITORY: Repository = {
  'config.json': text({ model_type: 'llama' }),
  'tokenizer.json': text({}),
  'model.safetensors.index.json': text({ weight_map: { a: 'one.safetensors', b: 'two.safetensors' } }),
  'one.safetensors': ONE,
  'two.safetensors': TWO,
  'pytorch_model.bin': new Uint8Array(1000),
  'README.md': text('readme'),
};

export interface HubAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The file of the repository that was asked for. */
  readonly file?: string;
}

/** What the hub answers for the one model `owner/model`. */
export function answerOf(repository: Repository, path: string, range?: string | null): HubAnswer {
  if (path === '/api/models/owner/model/revision/main')
    return json({ _id: '1', id: 'owner/model', sha: COMMIT });
  if (path === `/api/models/owner/model/tree/${COMMIT}`) return json(Object.entries(repository).map(entryOf));
  const file = path.replace(`/owner/model/resolve/${COMMIT}/`, '');
  const whole = repository[file];
  if (whole === undefined) return json({ error: 'Repository not found' }, 404);
  const [start, end] = /^bytes=(\d+)-(\d+)$/
    .exec(range ?? '')
    ?.slice(1)
    .map(Number) ?? [0, whole.length - 1];
  const body = whole.subarray(start, end + 1);
  const headers = { ETag: 'etag', 'Content-Length': String(body.length) };
  if (range == null) return { status: 200, headers, body, file };
  const part = { ...headers, 'Content-Range': `bytes ${start}-${end}/${whole.length}` };
  return { status: 206, headers: part, body, file };
}

const json = (value: unknown, status = 200): HubAnswer => ({
  status,
  headers: { 'Content-Type': 'application/json' },
  body: text(value),
});

/** What the hub lists of a file: weights are stored by SHA-256, other files as git blobs. */
function entryOf([path, body]: [string, Uint8Array]): object {
  const [sha1, sha256] = [createDigest('sha1'), createDigest('sha256')];
  sha1.update(`blob ${body.length}\0`);
  sha1.update(body);
  sha256.update(body);
  const lfs = path.endsWith('.safetensors')
    ? { lfs: { oid: sha256.hex(), size: body.length, pointerSize: 130 } }
    : {};
  return { type: 'file', path, size: body.length, oid: sha1.hex(), ...lfs };
}
