/** Opens model folders whose files are Blobs: those that come with the page, or that a reader dropped. */
import { SpikeError } from '@spikellm/backend';
import { createMemoryFiles, openModelFolder, openOpfsFiles, resolveModel } from '@spikellm/checkpoint';
import { model as bundled } from '@spikellm/demo-model';
import { describeModel } from '@spikellm/evaluation';
import { parseModel } from '@spikellm/graph';
import type { ModelSource, ModelSummary } from './contract.ts';
import { summariseSpiking, type SpikingSummary } from './spiking.ts';
import type { OpenModel, Workbench } from './workbench.ts';

const BUNDLED_FILES = {
  'config.json': bundled.config,
  'model.safetensors': bundled.weights,
  'tokenizer.json': bundled.tokenizer,
  'tokenizer_config.json': bundled.tokenizerConfig,
} as const;

/** What a folder turned out to be. */
export type OpenedModel =
  | { readonly side: 'float'; readonly summary: ModelSummary }
  | { readonly side: 'spiking'; readonly summary: SpikingSummary };

export const modelsOf = (workbench: Workbench) => ({
  /**
   * Opens a float model in place of the one before it, or a SpikeLLM checkpoint of the open float model in place of the
   * spiking one. When it fails all stays as it was.
   * Errors: as `openModelFolder` and `describeModel`; MISMATCH for a checkpoint of another model; a file that cannot be
   * fetched.
   */
  openModel: (source: ModelSource): Promise<OpenedModel> =>
    workbench.work('opening a model', async (signal): Promise<OpenedModel> => {
      const model = await open(workbench, source, signal);
      if (model.folder.config.quantization_config == null) {
        const summary = await summarise(model, source.kind === 'bundled');
        workbench.setModel('float', model);
        return { side: 'float', summary };
      }
      const summary = await summariseSpiking(model);
      checkSameModel(model, workbench.model('float'));
      workbench.setModel('spiking', model);
      return { side: 'spiking', summary };
    }),
});

async function open(workbench: Workbench, source: ModelSource, signal: AbortSignal): Promise<OpenModel> {
  if (source.kind === 'hub') return openHub(workbench, source.id, signal);
  if (source.kind === 'files') return openFiles(source.name, source.files);
  return openFiles('tales', await fetchBundled(workbench, signal));
}

/**
 * Opens a model of the hub. Its files stay in the private files of the page: what is there and whole is not downloaded
 * again, and what was cut off goes on. Errors: as `resolveModel` and `openModelFolder`.
 */
async function openHub(workbench: Workbench, id: string, signal: AbortSignal): Promise<OpenModel> {
  const files = await openOpfsFiles();
  const path = await resolveModel(id, {
    files,
    signal,
    onProgress: ({ loadedBytes, totalBytes }) => workbench.report('downloading', loadedBytes, totalBytes),
  });
  const folder = await openModelFolder(path, { files });
  return { name: id.slice(id.indexOf('/') + 1), folder, tokenizer: await folder.tokenizer(), blobs: readAll };

  async function readAll(): Promise<Map<string, Blob>> {
    const blobs = new Map<string, Blob>();
    for (const name of await files.list(path)) {
      const file = await files.open(files.join(path, name));
      const bytes = new Uint8Array(file.size);
      for (let done = 0; done < bytes.length;) done += await file.read(bytes.subarray(done), done);
      await file.close();
      blobs.set(name, new Blob([bytes]));
    }
    return blobs;
  }
}

/** Opens a model folder of these files. Errors: as `openModelFolder`. */
async function openFiles(name: string, blobs: ReadonlyMap<string, Blob>): Promise<OpenModel> {
  const files = createMemoryFiles(Array.from(blobs, ([file, blob]) => [`${name}/${file}`, blob] as const));
  const folder = await openModelFolder(name, { files });
  return { name, folder, tokenizer: await folder.tokenizer(), blobs: async () => blobs };
}

/** Errors: MISMATCH for a checkpoint whose decoder is not shaped as that of the float model. */
function checkSameModel(checkpoint: OpenModel, float: OpenModel): void {
  const shapeOf = ({ folder }: OpenModel): string => {
    const { layers, hiddenSize, intermediateSize, heads, kvHeads, vocabularySize } = parseModel(
      folder.config,
    ).config;
    return `${layers} layers of ${hiddenSize} and ${intermediateSize} channels, ${heads} heads over ${kvHeads}, ${vocabularySize} tokens`;
  };
  if (shapeOf(checkpoint) === shapeOf(float)) return;
  throw new SpikeError('MISMATCH', {
    where: checkpoint.name,
    expected: `a checkpoint made from the open model, ${float.name} (${shapeOf(float)})`,
    received: shapeOf(checkpoint),
    remedy: 'open the float model that it was made from first',
  });
}

async function summarise({ name, folder }: OpenModel, isBundled: boolean): Promise<ModelSummary> {
  const { layers, hiddenSize, vocabularySize, contextLength } = parseModel(folder.config).config;
  const { bytes } = await describeModel(folder.config, folder.tensors);
  let parameters = 0;
  for (const tensor of folder.tensors.names()) {
    parameters += folder.tensors.info(tensor)!.shape.reduce((product, length) => product * length, 1);
  }
  return {
    name,
    bundled: isBundled,
    layers,
    hiddenSize,
    vocabularySize,
    contextLength,
    parameters,
    bytes: bytes.total,
  };
}

async function fetchBundled(workbench: Workbench, signal: AbortSignal): Promise<Map<string, Blob>> {
  const names = Object.keys(BUNDLED_FILES) as (keyof typeof BUNDLED_FILES)[];
  let done = 0;
  const files = await Promise.all(
    names.map(async (name): Promise<[string, Blob]> => {
      const response = await fetch(BUNDLED_FILES[name], { signal });
      if (!response.ok)
        throw new Error(`${name} of the bundled model: status ${response.status}. Reload the page.`);
      const blob = await response.blob();
      workbench.report('fetching the model', ++done, names.length);
      return [name, blob];
    }),
  );
  return new Map(files);
}
