import { stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import { exists, fileError, isRecord, readJsonObject } from './files.ts';
import { missingTensor, openSafetensors, type SafetensorsFile, type TensorSource } from './safetensors.ts';
import { loadTokenizer, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, type TextTokenizer } from './tokenizer.ts';

export const CONFIG_FILE = 'config.json';
export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Files beside the weights that a model made from this one keeps. */
export const KEPT_FILES = [
  TOKENIZER_FILE,
  TOKENIZER_CONFIG_FILE,
  'special_tokens_map.json',
  'generation_config.json',
] as const;

/** An open model folder in the Hugging Face layout. */
export interface ModelFolder extends AsyncDisposable {
  readonly path: string;
  /** config.json, parsed. */
  readonly config: Record<string, unknown>;
  readonly tensors: TensorSource;
  /** Loads the tokenizer at the first call. Errors: MISSING (tokenizer.json), CORRUPT_FILE, UNSUPPORTED. */
  tokenizer(): Promise<TextTokenizer>;
  /** Closes all files. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a model folder: config.json and either model.safetensors or the shards that model.safetensors.index.json
 * names. The header of every shard is checked here, so that a truncated or missing one is known before the work
 * begins; tensors are read when asked for.
 *
 * Errors: MISSING (folder, file, shard, tensor), CORRUPT_FILE, UNSUPPORTED (dtype).
 *
 * @example
 * await using folder = await openModelFolder('models/tales');
 * const embedding = await folder.tensors.read('model.embed_tokens.weight');
 */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  await checkFolder(path);
  const config = await readJsonObject(join(path, CONFIG_FILE));
  const { tensors, close } = await openTensors(path);
  let tokenizer: Promise<TextTokenizer> | undefined;
  return {
    path,
    config,
    tensors,
    tokenizer: () => (tokenizer ??= loadTokenizer(path)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function checkFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (!found.isDirectory()) {
    throw new SpikeError('MISSING', { where: path, expected: 'a model folder', received: 'a file' });
  }
}

interface OpenTensors {
  readonly tensors: TensorSource;
  readonly close: () => Promise<void>;
}

async function openTensors(path: string): Promise<OpenTensors> {
  if (await exists(join(path, SINGLE_FILE))) {
    const file = await openSafetensors(join(path, SINGLE_FILE));
    return { tensors: file, close: () => file.close() };
  }
  if (await exists(join(path, INDEX_FILE))) return openShards(path);
  throw new SpikeError('MISSING', {
    where: path,
    expected: `${SINGLE_FILE} or ${INDEX_FILE}`,
    received: 'a folder with neither',
    remedy: 'weights in another format have to be converted to safetensors first',
  });
}

async function openShards(path: string): Promise<OpenTensors> {
  const shardOf = readWeightMap(path, await readJsonObject(join(path, INDEX_FILE)));
  const files = new Map<string, SafetensorsFile>();
  const close = async (): Promise<void> => {
    await Promise.all(Array.from(files.values(), (file) => file.close()));
  };
  try {
    for (const shard of new Set(shardOf.values())) files.set(shard, await openSafetensors(join(path, shard)));
    for (const [name, shard] of shardOf) {
      if (files.get(shard)?.info(name) === undefined) throw missingTensor(join(path, shard), name);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const fileOf = (name: string): SafetensorsFile | undefined => files.get(shardOf.get(name) ?? '');
  const tensors: TensorSource = {
    names: () => shardOf.keys(),
    info: (name) => fileOf(name)?.info(name),
    async read(name, options) {
      const file = fileOf(name);
      if (file === undefined) throw missingTensor(path, name);
      return file.read(name, options);
    },
  };
  return { tensors, close };
}

/**
 * The shard of each tensor, from a parsed index of the folder `path`.
 * Errors: CORRUPT_FILE, also for a shard outside the folder.
 */
export function readWeightMap(
  path: string,
  { weight_map: weightMap }: Record<string, unknown>,
): Map<string, string> {
  if (!isRecord(weightMap)) {
    throw new SpikeError('CORRUPT_FILE', {
      where: join(path, INDEX_FILE),
      expected: 'weight_map, an object from tensor to file',
      received: JSON.stringify(weightMap) ?? 'none',
    });
  }
  for (const [name, shard] of Object.entries(weightMap)) {
    if (typeof shard === 'string' && isInside(path, shard)) continue;
    throw new SpikeError('CORRUPT_FILE', {
      where: join(path, INDEX_FILE),
      expected: `tensor ${name} in a file of the folder`,
      received: JSON.stringify(shard),
    });
  }
  return new Map(Object.entries(weightMap as Record<string, string>));
}

/** Whether a path from an index stays in its folder; the path as written decides, links may lead elsewhere. */
function isInside(folder: string, file: string): boolean {
  const way = relative(resolve(folder), resolve(folder, file));
  return !isAbsolute(file) && way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
