import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { safetensorsBytes } from './fixtures.ts';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';
export const ONE = safetensorsBytes({ a: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } }, [1, 2, 3, 4]);
export const TWO = safetensorsBytes({ b: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, [5]);

/** A JSON file. */
export const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** A sharded repository with files that a model folder does not need. */
export const REPOSITORY: Readonly<Record<string, Uint8Array>> = {
  'config.json': text({ model_type: 'llama' }),
  'tokenizer.json': text({}),
  'model.safetensors.index.json': text({ weight_map: { a: 'one.safetensors', b: 'two.safetensors' } }),
  'one.safetensors': ONE,
  'two.safetensors': TWO,
  'pytorch_model.bin': new Uint8Array(1000),
  'README.md': text('readme'),
};

export interface Hub {
  readonly url: string;
  files: Readonly<Record<string, Uint8Array>>;
  /** `METHOD path range` of each request. */
  readonly requests: string[];
  /** Called instead of sending a file's whole body. */
  intercept: ((path: string, response: ServerResponse, body: Uint8Array) => boolean) | undefined;
}

/** A server on the loopback that answers as the hub does for the one model `owner/model`. */
export async function startHub(): Promise<Hub> {
  const requests: string[] = [];
  const server = createServer((request, response) => answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const hub: Hub = { url: `http://127.0.0.1:${port}`, files: REPOSITORY, requests, intercept: undefined };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = new URL(request.url ?? '', hub.url).pathname;
    requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`.trim());
    if (path === '/api/models/owner/model/revision/main')
      json(response, { _id: '1', id: 'owner/model', sha: COMMIT });
    else if (path === `/api/models/owner/model/tree/${COMMIT}`)
      json(response, Object.entries(hub.files).map(entryOf));
    else sendFile(path, request.headers.range, response);
  };
  const sendFile = (path: string, range: string | undefined, response: ServerResponse): void => {
    const file = path.replace(`/owner/model/resolve/${COMMIT}/`, '');
    const body = hub.files[file];
    if (body === undefined) return json(response, { error: 'Repository not found' }, 404);
    const [start, end] = /^bytes=(\d+)-(\d+)$/
      .exec(range ?? '')
      ?.slice(1)
      .map(Number) ?? [0, body.length - 1];
    const part = body.subarray(start, end + 1);
    response.setHeader('ETag', 'etag').setHeader('Content-Length', part.length);
    if (range !== undefined) response.setHeader('Content-Range', `bytes ${start}-${end}/${body.length}`);
    response.statusCode = range === undefined ? 200 : 206;
    if (range !== 'bytes=0-0' && hub.intercept?.(file, response, part) === true) return;
    response.end(part);
  };
  return hub;
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

/** What the hub lists of a file: weights are stored by SHA-256, other files as git blobs. */
function entryOf([path, body]: [string, Uint8Array]): object {
  const oid = createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
  const sha256 = createHash('sha256').update(body).digest('hex');
  const lfs = path.endsWith('.safetensors')
    ? { lfs: { oid: sha256, size: body.length, pointerSize: 130 } }
    : {};
  return { type: 'file', path, size: body.length, oid, ...lfs };
}
