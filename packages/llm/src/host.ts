import type { Backend } from '@spikellm/backend';
import type { FileStore } from '@spikellm/checkpoint';

/** Names of the backends. `cpu` is in Node only. */
export type BackendName = 'cpu' | 'wasm' | 'webgpu' | 'reference';

/** How a backend is opened. */
export interface BackendEntry {
  readonly name: BackendName;
  /** Whether it may be taken where none is named. */
  readonly automatic: boolean;
  /** Errors: MISSING, UNSUPPORTED or DEVICE_LOST where it does not run here. */
  readonly open: (options: { readonly threads?: number }) => Backend | Promise<Backend>;
}

/** A text with the name that a report gives it. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** What differs between Node and pages; `#host` is the one of the two that runs. */
export interface Host {
  /** The fastest first. */
  readonly backends: readonly BackendEntry[];
  /** Where paths and downloads lie where the caller does not say it; undefined for the disk. */
  files(): Promise<FileStore | undefined>;
  /** The address that a text stands for; undefined for a path and for a hub id. */
  addressOf(text: string): URL | undefined;
  /** The path that an address stands for on this disk, if there is one. */
  pathOf(address: URL): string | undefined;
  /** The text to calibrate on where none is given. Errors: INVALID_ARGUMENT in a page, which has none. */
  calibrationText(): Promise<NamedText>;
}
