/**
 * Model files: safetensors, Hugging Face model folders, SpikeLLM checkpoints, tokenizers and downloads.
 *
 * @module
 */
export type { SafetensorsDtype } from './dtype.ts';
export type { TensorInfo } from './header.ts';
export { openSafetensors, type ReadOptions, type SafetensorsFile, type TensorSource } from './safetensors.ts';
export { writeSafetensors } from './write-safetensors.ts';
export { openModelFolder, readJsonFile, type ModelFolder } from './folder.ts';
export { loadTokenizer as openTokenizer, type EncodeOptions, type TextTokenizer } from './tokenizer.ts';
export type { TextStream } from './tokenizer/stream.ts';
export type { ChatMessage, ChatOptions, ChatTemplate } from './chat-template.ts';
export { createSpillFile, type SpillFile, type SpillOptions } from './spill.ts';
export type { Fingerprint } from './journal.ts';
export { createCheckpoint, type CheckpointWriter } from './writer.ts';
export type { FilesOption, FileStat, FileStore, OpenFile, WritableFile } from './store.ts';
export { createMemoryFiles, type MemoryFiles } from './memory-files.ts';
export { openOpfsFiles } from './opfs-files.ts';
export { createDigest } from './digest.ts';
export type { Digest } from './host.ts';
export { resolveModel, type DownloadProgress, type ResolveModelOptions } from './hub.ts';
export { openGguf, type GgufFolder, type GgufTensors } from './gguf/folder.ts';
export type { GgufArray, GgufScalar, GgufValue } from './gguf/values.ts';
export {
  sourcePrecision,
  tensorPrecision,
  type GgufTensorInfo,
  type SourcePrecision,
  type StoredPrecision,
} from './gguf/precision.ts';
export { ggufArchitectures } from './gguf/architectures.ts';
