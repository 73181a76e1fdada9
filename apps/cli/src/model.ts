import type { Backend } from '@spikellm/backend';
import { openModelFolder, resolveModel, type ModelFolder } from '@spikellm/checkpoint';
import { loadDecoder, type Decoder, type LoadOptions } from '@spikellm/graph';
import { showProgress } from './progress.ts';
import type { Session } from './session.ts';

export const MODEL_ARGUMENT = 'model folder, or a Hugging Face id like owner/name';

/** Opens a model by the path of its folder or by its id, which may take a download. */
export async function openModel(session: Session, name: string): Promise<ModelFolder> {
  using progress = showProgress(session);
  const path = await resolveModel(name, {
    signal: session.signal,
    onProgress: ({ loadedBytes, totalBytes }) => progress.update('download', loadedBytes, totalBytes),
  });
  return openModelFolder(path);
}

/** Loads a model onto a backend. */
export async function openDecoder(
  session: Session,
  { config, tensors }: Pick<LoadOptions, 'config' | 'tensors'>,
  backend: Backend,
): Promise<Decoder> {
  using progress = showProgress(session);
  return await loadDecoder({
    config,
    tensors,
    backend,
    signal: session.signal,
    onProgress: (done, total) => progress.update('load', done, total),
  });
}
