// Holds what this checkout quantises against what another checkout of the project, built before, makes of the same:
//   node tooling/results/same-bytes.mjs <other checkout> [--model <folder>] [--only <name,...>] [--keep <folder>]
// Every shard must be equal byte for byte; config.json may differ in names. `--keep` keeps what the other checkout made, so
// that it need not be made again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('../..', import.meta.url));
const demo = join(here, 'packages', 'demo-model', 'model');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: demo },
    only: { type: 'string' },
    keep: { type: 'string' },
  },
});
const other = resolve(positionals[0] ?? '.');
const model = resolve(values.model);

const TERNARY = '--pipeline gptq --weights ternary';
/** Options of a run by its name. */
const RUNS = {
  rtn: '--pipeline rtn',
  own: '--mask own --kv token',
  published: '--mask own --kv published --range published --steps 4',
  float: '--abits 16 --head-bits 8',
  smoothquant: '--pipeline smoothquant',
  omniquant: '--pipeline omniquant --epochs 1',
  augmented: '--pipeline omniquant --epochs 1 --aug-loss --kv published --range published --mask own',
  gptq: '--pipeline gptq',
  ternary: TERNARY,
  elements: `${TERNARY} --weight-unit element`,
  groups: `${TERNARY} --weight-group 32`,
  spent: `${TERNARY} --equal-steps 1.7`,
  rotated: '--rotate hadamard',
  'rotated-omniquant': '--pipeline omniquant --epochs 1 --rotate hadamard',
  'rotated-gptq': '--pipeline gptq --rotate hadamard --saliency fisher',
  fisher: '--saliency fisher',
  'fisher-linears': '--saliency fisher --granularity linear',
  'fisher-smoothquant': '--pipeline smoothquant --saliency fisher',
};
const SHARED = '--samples 8 --seqlen 64 --eval-windows 4 --threads 2 --json';

function quantize(root, out, options) {
  const bin = join(root, 'apps', 'cli', 'bin', 'spikellm.js');
  const args = [bin, 'quantize', model, '--out', out, ...`${options} ${SHARED}`.split(' ')];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${root}: ${options}\n${stderr}`);
  return JSON.parse(stdout).perplexity;
}

/** Names of shards that are not the same. */
function differences(one, two) {
  const shards = (folder) => readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  const names = new Set([...shards(one), ...shards(two)]);
  return [...names].filter((name) => {
    const [a, b] = [one, two].map((folder) => join(folder, name));
    return !existsSync(a) || !existsSync(b) || !readFileSync(a).equals(readFileSync(b));
  });
}

const made = mkdtempSync(join(tmpdir(), 'same-bytes-'));
let failed = 0;
for (const [name, options] of Object.entries(RUNS)) {
  if (values.only !== undefined && !values.only.split(',').includes(name)) continue;
  const before = join(values.keep ?? made, `${basename(model)}-${name}`);
  const after = join(made, `${basename(model)}-${name}-now`);
  try {
    if (!existsSync(before)) quantize(other, before, options);
    const perplexity = quantize(here, after, options);
    const wrong = differences(before, after);
    failed += wrong.length > 0 ? 1 : 0;
    console.log(
      `${name}: perplexity ${perplexity}, ${wrong.length === 0 ? 'same bytes' : `differs in ${wrong.join(', ')}`}`,
    );
  } catch (error) {
    failed += 1;
    console.log(`${name}: ${error.message}`);
  }
  rmSync(after, { recursive: true, force: true });
}
rmSync(made, { recursive: true, force: true });
console.log(failed === 0 ? 'all the same' : `${failed} differ`);
process.exitCode = failed === 0 ? 0 : 1;
