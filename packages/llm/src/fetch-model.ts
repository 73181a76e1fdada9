/** Models at an address: a folder as any web server has it, or a .gguf file. */
import { SpikeError } from '@spikellm/backend';

/** How far a download is. */
export interface DownloadStep {
  readonly phase: 'download';
  /** Bytes; `total` is what is known of them. */
  readonly done: number;
  readonly total: number;
}

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((step: DownloadStep) => void) | undefined;
}

const NEEDED = ['config.json'];
const OPTIONAL = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
];
const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';

/**
 * The files of a model by their names. Errors: MISSING for a file that a model needs; rejects with the signal's reason when
 * aborted.
 */
export async function fetchModel(address: URL, options: FetchOptions): Promise<[string, Blob][]> {
  const name = address.pathname.slice(address.pathname.lastIndexOf('/') + 1);
  const fetcher = createFetcher(options);
  if (/\.gguf$/i.test(name)) {
    const found: [string, Blob][] = [];
    for (const part of partsOf(name)) found.push([part, await fetcher.need(new URL(part, address))]);
    return found;
  }
  const folder = new URL(address);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  const at = (file: string): URL => new URL(file, folder);
  const found: [string, Blob][] = [];
  for (const file of NEEDED) found.push([file, await fetcher.need(at(file))]);
  for (const file of OPTIONAL) {
    const blob = await fetcher.find(at(file));
    if (blob !== undefined) found.push([file, blob]);
  }
  const index = await fetcher.find(at(INDEX));
  if (index !== undefined) found.push([INDEX, index]);
  const weights = index === undefined ? [SINGLE] : shardsOf(await index.text());
  for (const file of weights) found.push([file, await fetcher.need(at(file))]);
  return found;
}

/** All parts of the model that `<name>-00001-of-00003.gguf` is one of, or the file itself. */
function partsOf(name: string): string[] {
  const [, stem, , count] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(name) ?? [];
  if (stem === undefined) return [name];
  return Array.from(
    { length: Number(count) },
    (_, i) => `${stem}-${String(i + 1).padStart(5, '0')}-of-${count}.gguf`,
  );
}

/** File names in an index; whoever opens the folder says what is wrong with one. */
function shardsOf(index: string): string[] {
  try {
    const { weight_map: map } = JSON.parse(index) as { readonly weight_map?: unknown };
    const names = Object.values((map ?? {}) as Record<string, unknown>);
    return [...new Set(names.filter((name): name is string => /^[\w.-]+\.safetensors$/.test(String(name))))];
  } catch {
    return [];
  }
}

function createFetcher({ signal, onProgress }: FetchOptions) {
  let [done, total] = [0, 0];
  const counted = (bytes: number): void => {
    done += bytes;
    total = Math.max(total, done);
    onProgress?.({ phase: 'download', done, total });
  };
  /** Undefined where the server has no such file; many servers answer with a page of their own then. */
  const find = async (address: URL): Promise<Blob | undefined> => {
    const response = await fetch(address, signal ? { signal } : {}).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw missing(address, `no answer (${(cause as Error).message})`, cause);
    });
    const isPage = response.headers.get('content-type')?.startsWith('text/html') ?? false;
    if (response.status === 404 || isPage) return undefined;
    if (!response.ok || response.body === null) throw missing(address, `status ${response.status}`);
    total += Number(response.headers.get('content-length') ?? 0);
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        counted(chunk.length);
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(count)).blob();
  };
  return {
    find,
    async need(address: URL): Promise<Blob> {
      const blob = await find(address);
      if (blob === undefined) throw missing(address, 'nothing there');
      return blob;
    },
  };
}

const missing = (address: URL, received: string, cause?: unknown): SpikeError =>
  new SpikeError('MISSING', { where: address.href, expected: 'a file of a model', received, cause });
