import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { model } from '@spikellm/demo-model';

/** Folder of the demo model. */
export const TALES = fileURLToPath(new URL('.', model.config));

/** A folder that is gone at the end. */
export function scratch(): { readonly path: string; at(name: string): string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'spikellm-llm-'));
  return {
    path,
    at: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** All of a text that comes in pieces. */
export async function whole(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}
