import { Writable } from 'node:stream';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../src/main.ts';
import { BUNDLED_EVALUATION_TEXT, BUNDLED_MODEL } from '../src/bundled.ts';

export const MODEL = BUNDLED_MODEL;
export const TEXT = BUNDLED_EVALUATION_TEXT;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stream that keeps what is written to it. */
export function sink(): Writable & { text(): string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return Object.assign(stream, { text: () => chunks.join('') });
}

/** Runs a command line in this process. */
export async function run(...argv: string[]): Promise<Outcome> {
  const [stdout, stderr] = [sink(), sink()];
  const code = await main(argv, { stdout, stderr });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** A folder that is gone at the end. */
export function scratch(): {
  readonly path: string;
  file(name: string, data: string | Uint8Array): string;
} & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'spikellm-cli-'));
  return {
    path,
    file(name, data) {
      writeFileSync(join(path, name), data);
      return join(path, name);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
