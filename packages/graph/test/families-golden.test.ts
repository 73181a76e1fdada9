/** Logits of tiny random models of every family, as transformers computes them in float32. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SpikeError } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { sharedDirectory } from '@spikellm/golden';
import { describe, expect, it } from 'vitest';
import { loadDecoder, parseModel } from '../src/index.ts';
import { openBackends } from './backends.ts';
import { meanLoss } from './likelihood.ts';
import { logitsOf } from './tiny.ts';

/** What `expected.json` of a folder holds. */
interface Expected {
  readonly ids: readonly number[];
  readonly shape: readonly [tokens: number, vocabulary: number];
  readonly logits: readonly number[];
  readonly nll: number;
}

/** Of the largest logit, or of 1 where that is smaller: both sides round to float32 on the way. */
const RELATIVE_ERROR = 1e-4;

const committed = fileURLToPath(new URL('../../../tooling/golden/numbers/families', import.meta.url));
const shared = sharedDirectory();
const outside = [process.env.SPIKELLM_GOLDEN_DIR ?? (shared && join(shared, 'golden'))].flatMap((folder) =>
  folder === undefined ? [] : [join(folder, 'families')],
);

/** Folders by name: those outside the repository before the committed ones. */
const folders = new Map(
  [committed, ...outside]
    .filter((parent) => existsSync(parent))
    .flatMap((parent) => readdirSync(parent).map((name) => [name, join(parent, name)] as const))
    .filter(([, folder]) => existsSync(join(folder, 'expected.json'))),
);
const isCommitted = (name: string): boolean => existsSync(join(committed, name));

const readJson = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

/** Why a model cannot be read yet; undefined where it can. What is committed has to be read. */
function unsupported(name: string, folder: string): string | undefined {
  try {
    parseModel(readJson(folder, 'config.json'));
    return undefined;
  } catch (error) {
    if (error instanceof SpikeError && error.code === 'UNSUPPORTED' && !isCommitted(name))
      return error.message;
    throw error;
  }
}

/** The largest difference to the expected logits, in shares of what may differ. */
function errorOf(got: readonly Float32Array[], { shape, logits }: Expected): number {
  expect([got.length, got[0].length]).toEqual(shape);
  const scale = Math.max(1, ...logits.map(Math.abs));
  const flat = got.flatMap((row) => [...row]);
  const differences = logits.map((logit, i) => Math.abs(flat[i] - logit));
  // A NaN is the largest of all.
  return Math.max(...differences) / (RELATIVE_ERROR * scale);
}

const backends = openBackends();

it('has folders to look at', () => {
  expect(folders.size).toBeGreaterThan(0);
});

it.for([...folders])('%s can be read', ([name, folder], { skip }) => {
  const reason = unsupported(name, folder);
  skip(reason !== undefined, reason);
  expect(parseModel(readJson(folder, 'config.json')).layers).not.toEqual([]);
});

const readable = [...folders].filter(([name, folder]) => unsupported(name, folder) === undefined);

describe.each(readable)('%s', (_, folder) => {
  it.for(backends)('has the expected logits on $name', async ({ name, open }, { skip }) => {
    const { backend, missing } = await open();
    skip(missing !== undefined, missing);
    const expected: Expected = readJson(folder, 'expected.json');
    const { ids } = expected;
    await using model = await openModelFolder(folder);
    const { config, tensors } = model;
    using decoder = await loadDecoder({ backend: backend!, config, tensors });
    const whole = await logitsOf(decoder, ids);
    expect(errorOf(whole, expected)).toBeLessThan(1);
    expect(Math.abs(meanLoss(whole, ids) / expected.nll - 1)).toBeLessThan(RELATIVE_ERROR);
    const middle = Math.ceil(ids.length / 2);
    const parts = await logitsOf(decoder, ids.slice(0, middle), ids.slice(middle));
    expect(errorOf(parts, expected)).toBeLessThan(1);
    // A software driver takes its time for each token.
    const before = name === 'webgpu' ? ids.length - 4 : 0;
    const singly = [ids.slice(0, before), ...ids.slice(before).map((id) => [id])].filter(
      ({ length }) => length > 0,
    );
    expect(errorOf(await logitsOf(decoder, ...singly), expected)).toBeLessThan(1);
  });
});
