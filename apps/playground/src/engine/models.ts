/** Opens model folders whose files are Blobs: those that come with the page, or that a reader dropped. */
import { createMemoryFiles, openModelFolder } from '@spikellm/checkpoint';
import { model as bundled } from '@spikellm/demo-model';
import { describeModel } from '@spikellm/evaluation';
import { parseDecoderConfig } from '@spikellm/graph';
import type { ModelSource, ModelSummary } from './contract.ts';
import type { OpenModel, Workbench } from './workbench.ts';

const BUNDLED_FILES = {
  'config.json': bundled.config,
  'model.safetensors': bundled.weights,
  'tokenizer.json': bundled.tokenizer,
  'tokenizer_config.json': bundled.tokenizerConfig,
} as const;

export const modelsOf = (workbench: Workbench) => ({
  /** Opens a float model in place of the one before it. Errors: as `openModelFolder`; a file that cannot be fetched. */
  openModel: (source: ModelSource): Promise<ModelSummary> =>
    workbench.work('opening a model', async (signal) => {
      const files = source.kind === 'bundled' ? await fetchBundled(workbench, signal) : source.files;
      const model = await openFiles(source.kind === 'bundled' ? 'tales' : source.name, files);
      const summary = await summarise(model);
      workbench.setModel('float', model);
      return summary;
    }),
});

/** Opens a model folder of these files. Errors: as `openModelFolder`. */
async function openFiles(name: string, files: ReadonlyMap<string, Blob>): Promise<OpenModel> {
  const store = createMemoryFiles(Array.from(files, ([path, file]) => [`${name}/${path}`, file]));
  const folder = await openModelFolder(name, { files: store });
  return { name, folder, tokenizer: await folder.tokenizer() };
}

export async function summarise({ name, folder }: OpenModel): Promise<ModelSummary> {
  const { layers, hiddenSize, vocabularySize, contextLength } = parseDecoderConfig(folder.config);
  const { bytes } = await describeModel(folder.config, folder.tensors);
  let parameters = 0;
  for (const tensor of folder.tensors.names()) {
    parameters += folder.tensors.info(tensor)!.shape.reduce((product, length) => product * length, 1);
  }
  return { name, layers, hiddenSize, vocabularySize, contextLength, parameters, bytes: bytes.total };
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
