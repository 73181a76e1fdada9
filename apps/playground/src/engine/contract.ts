/** What crosses the border between the page and the worker that the model lives in: plain values. */
import type { BackendReport } from '@spikellm/backend';
import type { Spoken } from './reply.ts';

/** The backends of a page, each in the ways in which it can be opened. */
export const VARIANTS = ['wasm', 'wasm-one-thread', 'wasm-simd128', 'webgpu', 'reference'] as const;
export type Variant = (typeof VARIANTS)[number];
export const VARIANT_TITLES: Readonly<Record<Variant, string>> = {
  wasm: 'WebAssembly, the best of this browser',
  'wasm-one-thread': 'WebAssembly on one thread',
  'wasm-simd128': 'WebAssembly without relaxed SIMD, on one thread',
  webgpu: 'WebGPU',
  reference: 'Plain TypeScript, the reference',
};
/** What the reader asked for; `auto` takes the first that runs everything here. */
export type BackendChoice = Variant | 'auto';

export interface OpenedBackend {
  readonly variant: Variant;
  readonly report: BackendReport;
  /** Why this one. */
  readonly reason: string;
}

/** How far a piece of work is. */
export interface Progress {
  /** Such as `calibrate`. */
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** What the worker tells while it works. */
export type EngineEvent = ({ readonly kind: 'progress' } & Progress) | ({ readonly kind: 'spoken' } & Spoken);

/** Where a model comes from: with the page, files by their names in a model folder, or the Hugging Face hub. */
export type ModelSource =
  | { readonly kind: 'bundled' }
  | { readonly kind: 'files'; readonly name: string; readonly files: ReadonlyMap<string, Blob> }
  | { readonly kind: 'hub'; readonly id: string };

/** An open model as the page shows it. */
export interface ModelSummary {
  readonly name: string;
  /** Whether it came with the page. */
  readonly bundled: boolean;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Tokens. */
  readonly contextLength: number;
  readonly parameters: number;
  /** In its files. */
  readonly bytes: number;
}
