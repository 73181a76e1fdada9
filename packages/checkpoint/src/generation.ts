import { exists, readJsonObject } from './files.ts';
import type { FileStore } from './store.ts';

export const GENERATION_FILE = 'generation_config.json';

type Json = Record<string, unknown>;

/** generation_config.json, or nothing. Errors: CORRUPT_FILE. */
export async function readGeneration(files: FileStore, folder: string): Promise<Json> {
  const path = files.join(folder, GENERATION_FILE);
  return (await exists(files, path)) ? readJsonObject(files, path) : {};
}

/**
 * config.json whose `eos_token_id` has the tokens of generation_config.json too: chat models name there what ends a turn, and
 * a text that ends at one of the two lists ends.
 */
export function withEndTokens(config: Json, generation: Json): Json {
  const more = listOf(generation.eos_token_id);
  const own = listOf(config.eos_token_id);
  const all = [...new Set([...own, ...more])];
  return all.length === own.length ? config : { ...config, eos_token_id: all.length === 1 ? all[0] : all };
}

function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
