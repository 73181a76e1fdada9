// Runs of `spikellm quantize` on the bundled model that take seconds, and what they leave behind.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/spikellm.js', import.meta.url));
const MODEL = fileURLToPath(new URL('../../../packages/demo-model/model', import.meta.url));
const OPTIONS =
  '--pipeline omniquant --saliency fisher --epochs 2 --samples 8 --seqlen 64 --eval-windows 1 --memory 200kB';

/** Starts a run; `ended` has its signal or exit code, and what it said on stderr. */
export function quantize(out, ...more) {
  const child = spawn(
    process.execPath,
    [BIN, 'quantize', MODEL, '--out', out, ...OPTIONS.split(' '), ...more],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code: signal ?? code, stderr }));
  });
  return { child, ended };
}

/** Throws where a run did not end with this code. */
export async function expectEnd({ ended }, expected) {
  const { code, stderr } = await ended;
  if (code === expected) return stderr;
  throw new Error(`ended with ${code} where ${expected} was expected:\n${stderr}`);
}

/** Throws where the folders differ in a name or a byte. */
export function expectSameFolders(one, other) {
  const [names, otherNames] = [one, other].map((folder) => readdirSync(folder).toSorted());
  if (names.join() !== otherNames.join()) throw new Error(`${names} in ${one}, ${otherNames} in ${other}`);
  for (const name of names) {
    const [a, b] = [one, other].map((folder) => readFileSync(join(folder, name)));
    if (!a.equals(b)) throw new Error(`${name} differs between ${one} and ${other}`);
  }
}
