import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import { createChatTemplate, templateOf } from '../chat-template.ts';
import { missingTensor, type TensorSource } from '../safetensors.ts';
import type { ModelFolder } from '../folder.ts';
import { createMemoryFiles } from '../memory-files.ts';
import type { FilesOption, FileStore } from '../store.ts';
import { loadTokenizer, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, type TextTokenizer } from '../tokenizer.ts';
import { architectureOf, type Architecture } from './architectures.ts';
import { corrupt } from './errors.ts';
import { sizeOf, type GgufFile, type TensorView } from './file.ts';
import { createMetadata } from './metadata.ts';
import type { GgufTensorInfo } from './precision.ts';
import { ROPE_TENSORS } from './rope.ts';
import { closeAll, openShards } from './shards.ts';
import { tokenizerFiles, type TokenizerFiles } from './tokenizer.ts';
import type { GgufValue } from './values.ts';
import { viewsOf } from './views.ts';

/** A model in GGUF, as the model folder that it was made from. */
export interface GgufFolder extends ModelFolder {
  readonly tensors: GgufTensors;
  /** What the file says beside its tensors, by its own keys. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** What tokenizer_config.json would hold: special tokens, whether a text begins with BOS, the chat template. */
  readonly tokenizerConfig: Record<string, unknown>;
  /** JSON of the tokenizer's files, for a folder that is made from this one; none where there is no tokenizer to read. */
  keptFiles(): Readonly<Record<string, unknown>>;
}

/** Tensors under the names of Hugging Face. Blocks are read as float32, and weights as they were before conversion. */
export interface GgufTensors extends TensorSource {
  info(name: string): GgufTensorInfo | undefined;
}

/**
 * Opens a model in GGUF: one file, or all of those that `<name>-00001-of-00003.gguf` is one of. Its metadata become what
 * config.json, tokenizer.json and tokenizer_config.json say, and its tensors take their Hugging Face names. Rows that a
 * converter moved lie as before, and norms are without the 1 that it added. The headers are read here, tensors when asked
 * for, in pieces.
 *
 * @param path a path in `files`
 * Errors: MISSING (file, key), CORRUPT_FILE, MISMATCH (parts of other models), UNSUPPORTED (version, byte order,
 * architecture, scaling of positions). A tensor of a type that cannot be decoded is told when it is read: UNSUPPORTED.
 *
 * @example
 * await using folder = await openGguf('models/SmolLM2-135M-Instruct.Q4_1.gguf');
 * console.log(folder.config.model_type, sourcePrecision(folder.tensors).text); // llama Q4_1, 5.0 bits
 */
export async function openGguf(
  path: string,
  { files = host.files() }: FilesOption = {},
): Promise<GgufFolder> {
  const opened = await openShards(files, path);
  try {
    return await createFolder(files, path, opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function createFolder(
  files: FileStore,
  path: string,
  opened: readonly GgufFile[],
): Promise<GgufFolder> {
  const [{ metadata: values }] = opened;
  const metadata = createMetadata(path, values);
  const architecture = architectureOf(path, metadata.architecture);
  const config = architecture.config({
    metadata,
    shapes: new Map(
      opened.flatMap(({ tensors }) => Array.from(tensors, ([name, { shape }]) => [name, shape])),
    ),
    values: await readRopeTensors(opened),
  });
  const json = tokenizerFiles(metadata);
  let built: Promise<TextTokenizer> | undefined;
  const tokenizer = (): Promise<TextTokenizer> => (built ??= buildTokenizer(path, json));
  const close = (): Promise<void> => closeAll(opened);
  return {
    path,
    files,
    config,
    metadata: values,
    tokenizerConfig: json.config,
    keptFiles: () => keptFiles(json),
    tensors: createTensors(path, opened, architecture, config),
    generation: {},
    tokenizer,
    async chatTemplate() {
      const { config: stated } = json;
      return createChatTemplate(
        { path, template: templateOf(stated.chat_template), config: stated },
        await tokenizer(),
      );
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function keptFiles(json: TokenizerFiles): Readonly<Record<string, unknown>> {
  try {
    return { [TOKENIZER_FILE]: json.definition(), [TOKENIZER_CONFIG_FILE]: json.config };
  } catch (error) {
    if (error instanceof SpikeError) return {};
    throw error;
  }
}

/** More values than any of the tensors that scale positions have. */
const MAX_FACTORS = 4096;

async function readRopeTensors(opened: readonly GgufFile[]): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const file of opened) {
    for (const name of ROPE_TENSORS) {
      const stored = file.tensors.get(name);
      if (stored === undefined) continue;
      const size = sizeOf(stored.shape);
      if (size > MAX_FACTORS)
        throw corrupt(`${file.path}: tensor ${name}`, `at most ${MAX_FACTORS} values`, String(size));
      const tensor = await file.read(name, { stored, shape: stored.shape, first: 0 });
      values.set(name, tensor.data as Float32Array);
    }
  }
  return values;
}

function createTensors(
  path: string,
  opened: readonly GgufFile[],
  architecture: Architecture,
  config: Record<string, unknown>,
): GgufTensors {
  const headsOf = {
    attn_q: config.num_attention_heads as number,
    attn_k: config.num_key_value_heads as number,
  };
  const placeOf = new Map<string, { readonly file: GgufFile; readonly view: TensorView }>();
  for (const file of opened) {
    for (const stored of file.tensors.values()) {
      for (const [name, view] of viewsOf(file.path, stored, architecture, headsOf)) {
        if (placeOf.has(name))
          throw corrupt(`${file.path}: tensor ${stored.name}`, 'one tensor a name', `${name} again`);
        placeOf.set(name, { file, view });
      }
    }
  }
  return {
    names: () => placeOf.keys(),
    info(name) {
      const view = placeOf.get(name)?.view;
      return view === undefined ? undefined : infoOf(view);
    },
    async read(name, options) {
      const place = placeOf.get(name);
      if (place === undefined) throw missingTensor(path, name);
      return place.file.read(name, place.view, options);
    },
  };
}

function infoOf({ stored, shape, added }: TensorView): GgufTensorInfo {
  const { name, dtype, bytes, values } = stored.type;
  return {
    dtype: added === undefined ? (dtype ?? 'F32') : 'F32',
    shape,
    bytes: (sizeOf(shape) / values) * bytes,
    stored: { type: name, bitsPerWeight: (8 * bytes) / values },
  };
}

/** The project's tokenizers read files, so the two lie in memory, under the name of the model for errors. */
async function buildTokenizer(path: string, json: TokenizerFiles): Promise<TextTokenizer> {
  const files = createMemoryFiles(
    Object.entries({ [TOKENIZER_FILE]: json.definition(), [TOKENIZER_CONFIG_FILE]: json.config }).map(
      ([name, content]) => [`${path}/${name}`, new Blob([JSON.stringify(content)])],
    ),
  );
  return loadTokenizer(path, { files });
}
