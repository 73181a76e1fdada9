import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import {
  createChatTemplate,
  OLD_TEMPLATE_FILE,
  readTemplate,
  TEMPLATE_FILE,
  type ChatTemplate,
} from './chat-template.ts';
import { exists, fileError, isRecord, nothingAt, readJsonObject } from './files.ts';
import { GENERATION_FILE, readGeneration, withEndTokens } from './generation.ts';
import { missingTensor, openSafetensors, type SafetensorsFile, type TensorSource } from './safetensors.ts';
import type { FilesOption, FileStore } from './store.ts';
import {
  loadTokenizer,
  readTokenizerConfig,
  SENTENCEPIECE_FILE,
  SPECIAL_TOKENS_FILE,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  type TextTokenizer,
} from './tokenizer.ts';

export const CONFIG_FILE = 'config.json';
export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Files beside the weights that a model made from this one keeps. */
export const KEPT_FILES = [
  TOKENIZER_FILE,
  TOKENIZER_CONFIG_FILE,
  SPECIAL_TOKENS_FILE,
  'added_tokens.json',
  SENTENCEPIECE_FILE,
  TEMPLATE_FILE,
  OLD_TEMPLATE_FILE,
  GENERATION_FILE,
] as const;

/** An open model folder in the Hugging Face layout. */
export interface ModelFolder extends AsyncDisposable {
  readonly path: string;
  /** Where `path` lies. */
  readonly files: FileStore;
  /** config.json, parsed. Its `eos_token_id` has those of generation_config.json too. */
  readonly config: Record<string, unknown>;
  /** generation_config.json, parsed: how its makers want texts to be drawn. Empty where there is none. */
  readonly generation: Readonly<Record<string, unknown>>;
  readonly tensors: TensorSource;
  /** Loads the tokenizer at the first call. Errors: MISSING (tokenizer.json), CORRUPT_FILE, UNSUPPORTED. */
  tokenizer(): Promise<TextTokenizer>;
  /** How the model wants a conversation to be written. Errors: as `tokenizer`; MISSING without a template, UNSUPPORTED. */
  chatTemplate(): Promise<ChatTemplate>;
  /** Closes all files. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a model folder: config.json and either model.safetensors or the shards that model.safetensors.index.json
 * names. The header of every shard is checked here, so that a truncated or missing one is known before the work
 * begins; tensors are read when asked for.
 *
 * Errors: MISSING (folder, file, shard, tensor), CORRUPT_FILE.
 *
 * @example
 * await using folder = await openModelFolder('models/tales');
 * const embedding = await folder.tensors.read('model.embed_tokens.weight');
 */
export async function openModelFolder(
  path: string,
  { files = host.files() }: FilesOption = {},
): Promise<ModelFolder> {
  await checkFolder(files, path);
  const generation = await readGeneration(files, path);
  const config = withEndTokens(await readJsonObject(files, files.join(path, CONFIG_FILE)), generation);
  const { tensors, close } = await openTensors(files, path);
  let opened: Promise<TextTokenizer> | undefined;
  const tokenizer = (): Promise<TextTokenizer> => (opened ??= loadTokenizer(path, { files }));
  return {
    path,
    files,
    config,
    generation,
    tensors,
    tokenizer,
    async chatTemplate() {
      const stated = await readTokenizerConfig(path, { files });
      const template = await readTemplate(files, path, stated);
      return createChatTemplate({ path, template, config: stated }, await tokenizer());
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * A file of JSON that holds one object, such as a config.json without a model.
 * Errors: MISSING, CORRUPT_FILE, INVALID_ARGUMENT (no file).
 */
export const readJsonFile = async (
  path: string,
  { files = host.files() }: FilesOption = {},
): Promise<Record<string, unknown>> => readJsonObject(files, path);

async function checkFolder(files: FileStore, path: string): Promise<void> {
  const found = await files.stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (found === undefined) throw nothingAt(path);
  if (!found.isFolder) {
    throw new SpikeError('MISSING', { where: path, expected: 'a model folder', received: 'a file' });
  }
}

interface OpenTensors {
  readonly tensors: TensorSource;
  readonly close: () => Promise<void>;
}

async function openTensors(files: FileStore, path: string): Promise<OpenTensors> {
  const single = files.join(path, SINGLE_FILE);
  if (await exists(files, single)) {
    const file = await openSafetensors(single, { files });
    return { tensors: file, close: () => file.close() };
  }
  if (await exists(files, files.join(path, INDEX_FILE))) return openShards(files, path);
  throw noWeights(path, await files.list(path));
}

/** What lies there instead, and what to do with it. */
function noWeights(path: string, names: readonly string[]): SpikeError {
  const expected = `${SINGLE_FILE} or ${INDEX_FILE}`;
  const error = (received: string, remedy: string): SpikeError =>
    new SpikeError('MISSING', { where: path, expected, received, remedy });
  const find = (pattern: RegExp): string | undefined => names.find((name) => pattern.test(name));
  const gguf = find(/\.gguf$/i);
  if (gguf !== undefined) return error(gguf, `give the path of that file, ${path}/${gguf}`);
  const adapter = find(/^adapter_(model|config)\./);
  if (adapter !== undefined)
    return error(
      `${adapter}, a low-rank adapter alone`,
      'merge it into its model first: merge_and_unload of the package peft',
    );
  const pickled = find(/\.(bin|pt|pth|ckpt)$/);
  if (pickled === undefined)
    return error(
      'a folder with neither',
      'weights in another format have to be converted to safetensors first',
    );
  return error(
    `${pickled}, weights of PyTorch`,
    `convert them once in Python: AutoModelForCausalLM.from_pretrained(${JSON.stringify(path)}).save_pretrained("<folder>")`,
  );
}

async function openShards(files: FileStore, path: string): Promise<OpenTensors> {
  const shardOf = readWeightMap(files, path, await readJsonObject(files, files.join(path, INDEX_FILE)));
  const opened = new Map<string, SafetensorsFile>();
  const close = async (): Promise<void> => {
    await Promise.all(Array.from(opened.values(), (file) => file.close()));
  };
  try {
    for (const shard of new Set(shardOf.values())) {
      opened.set(shard, await openSafetensors(files.join(path, shard), { files }));
    }
    for (const [name, shard] of shardOf) {
      if (opened.get(shard)?.info(name) === undefined) throw missingTensor(files.join(path, shard), name);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const fileOf = (name: string): SafetensorsFile | undefined => opened.get(shardOf.get(name) ?? '');
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
  files: FileStore,
  path: string,
  { weight_map: weightMap }: Record<string, unknown>,
): Map<string, string> {
  if (!isRecord(weightMap)) {
    throw new SpikeError('CORRUPT_FILE', {
      where: files.join(path, INDEX_FILE),
      expected: 'weight_map, an object from tensor to file',
      received: JSON.stringify(weightMap) ?? 'none',
    });
  }
  for (const [name, shard] of Object.entries(weightMap)) {
    if (typeof shard === 'string' && files.isInside(path, shard)) continue;
    throw new SpikeError('CORRUPT_FILE', {
      where: files.join(path, INDEX_FILE),
      expected: `tensor ${name} in a file of the folder`,
      received: JSON.stringify(shard),
    });
  }
  return new Map(Object.entries(weightMap as Record<string, string>));
}
