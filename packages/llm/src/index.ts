/**
 * A language model in one call: opened, continued, measured, and turned into a spiking one, in Node and in pages.
 *
 * @module
 */
export { backendNames, openBackend, type BackendChoice } from './backends.ts';
export type { BackendName, NamedText } from './host.ts';
export {
  openModel,
  type GenerateOptions,
  type Model,
  type OpenModelOptions,
  type OpenProgress,
  type PerplexityOptions,
} from './model.ts';
export {
  quantize,
  type QuantizeOptions,
  type QuantizeProgress,
  type QuantizeReport,
  type Written,
} from './quantize.ts';
export type { DownloadStep, FetchOptions } from './fetch-model.ts';
export { openSource, type ModelSource, type SourceOptions } from './source.ts';
export { chooseWindow } from './window.ts';
