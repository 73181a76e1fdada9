import type { FileStore } from './store.ts';

/** A hash of bytes that come in parts. */
export interface Digest {
  /** Adds the bytes of an array, whatever its elements are, or of a text in UTF-8. */
  update(data: ArrayBufferView | string): void;
  /** The hash of all, in lower-case hexadecimal digits. */
  hex(): string;
}

/** What differs between Node and browsers, where no caller says it; `#host` is the one of the two that runs. */
export interface Host {
  /** The store of callers that name none. Errors: INVALID_ARGUMENT in a browser, which has none of its own. */
  files(): FileStore;
  createDigest(name: 'sha1' | 'sha256'): Digest;
  /** The token that gated models of the hub are read with. */
  hubToken(): string | undefined;
  /** Runs a function that cannot be aborted; ends it and gives undefined where it takes longer, in Node. */
  withinTime<T>(milliseconds: number, body: () => T): T | undefined;
  /** What helps with a model that may not be read. */
  readonly gatedRemedy: string;
  /** Whether the hub shall not be asked: HF_HUB_OFFLINE, in Node. */
  isOffline(): boolean;
  /** The folder of downloaded models. */
  hubCache(): Promise<string>;
}
