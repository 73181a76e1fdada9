import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpikeError, type Backend } from '@spikellm/backend';
import { readJsonFile, resolveModel, type ModelFolder } from '@spikellm/checkpoint';
import { loadDecoder, type Decoder, type LoadOptions } from '@spikellm/graph';
import { openSource } from '@spikellm/llm';
import { showProgress } from './progress.ts';
import type { Session } from './session.ts';

export const MODEL_ARGUMENT = 'model folder, .gguf file, or a Hugging Face id like owner/name';

const CONFIG = 'config.json';

/** Opens the files of a model by its path or by its id, which may take a download. */
export async function openModel(session: Session, name: string): Promise<ModelFolder> {
  using progress = showProgress(session);
  return await openSource(name, {
    signal: session.signal,
    onProgress: ({ phase, done, total }) => progress.update(phase, done, total),
  });
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

/**
 * The config.json of a folder, of a model of the hub, or at a path of its own, or what a .gguf file says. Of the hub no weights
 * are downloaded. Errors: MISSING, CORRUPT_FILE.
 */
export async function readConfig(name: string, signal?: AbortSignal): Promise<Record<string, unknown>> {
  if (/\.gguf$/i.test(name)) {
    await using model = await openSource(name);
    return model.config;
  }
  const folder = await stat(name).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
  if (folder === undefined && /^[\w][\w.-]*\/[\w][\w.-]*$/.test(name) && !name.endsWith('.json')) {
    const snapshot = await resolveModel(name, { only: [CONFIG], ...(signal && { signal }) });
    return readJsonFile(join(snapshot, CONFIG));
  }
  return readJsonFile(folder === true ? join(name, CONFIG) : name).catch((cause: unknown) => {
    if (!(cause instanceof SpikeError && cause.code === 'MISSING')) throw cause;
    throw new SpikeError('MISSING', {
      where: name,
      expected: 'a config.json, or a folder that has one',
      received: 'neither',
      cause,
    });
  });
}
