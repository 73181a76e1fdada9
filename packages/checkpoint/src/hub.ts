import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import type { ListFileEntry } from '@huggingface/hub';
import { downloadToCache, type HubAccess } from './download.ts';
import { fileError, readJsonObject, writeFileAtomic } from './files.ts';
import { CONFIG_FILE, INDEX_FILE, KEPT_FILES, readWeightMap, SINGLE_FILE } from './folder.ts';

/** How far a download is; bytes count all files of the model. */
export interface DownloadProgress {
  /** The file that is being downloaded. */
  readonly file: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface ResolveModelOptions {
  /** Default: the cache that all Hugging Face libraries share (`HF_HUB_CACHE`, `HF_HOME`, ~/.cache/huggingface/hub). */
  readonly cacheDir?: string;
  /** A branch, tag or commit. Default: `main`. */
  readonly revision?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Default: the environment variable `HF_ENDPOINT`, else the public hub. */
  readonly hubUrl?: string;
  readonly fetch?: typeof fetch;
}
