/** The bundled float model as a page has it: fetched as assets. */
import { createMemoryFiles, openModelFolder, type MemoryFiles, type ModelFolder } from '@spikellm/checkpoint';
import { model } from '@spikellm/demo-model';

/** Its files, in the folder `demo`. */
export async function fetchDemoFiles(): Promise<MemoryFiles> {
  const urls: Readonly<Record<string, URL>> = {
    'config.json': model.config,
    'model.safetensors': model.weights,
    'tokenizer.json': model.tokenizer,
    'tokenizer_config.json': model.tokenizerConfig,
  };
  const fetched = Object.entries(urls).map(async ([name, url]) => {
    return [`demo/${name}`, await (await fetch(url)).blob()] as const;
  });
  return createMemoryFiles(await Promise.all(fetched));
}

/** The model, open. */
export const fetchDemoModel = async (): Promise<ModelFolder> =>
  openModelFolder('demo', { files: await fetchDemoFiles() });
