/**
 * Model folders with a fault or a freedom that real ones have. They lie outside the repository; what each of them shows is
 * held here without them too, see weights.test.ts and config.test.ts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend, SpikeError } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { sharedDirectory } from '@spikellm/golden';
import { expect, it } from 'vitest';
import { loadDecoder } from '../src/index.ts';
import { meanLoss } from './likelihood.ts';
import { logitsOf } from './tiny.ts';

const WINDOW = 64;

const shared = sharedDirectory();
const parent = join(shared ?? '', 'cases');
const names = shared !== undefined && existsSync(parent) ? readdirSync(parent) : [];

/** The loss of a case over its windows, or the error that refuses it. */
async function outcome(folder: string): Promise<number | SpikeError> {
  using backend = createReferenceBackend();
  try {
    await using model = await openModelFolder(folder);
    using decoder = await loadDecoder({ backend, config: model.config, tensors: model.tensors });
    const ids: number[] = JSON.parse(readFileSync(join(folder, 'ids.json'), 'utf8'));
    const losses: number[] = [];
    for (let at = 0; at + WINDOW <= ids.length; at += WINDOW) {
      const window = ids.slice(at, at + WINDOW);
      losses.push(meanLoss(await logitsOf(decoder, window), window));
    }
    return losses.reduce((a, b) => a + b) / losses.length;
  } catch (error) {
    if (error instanceof SpikeError) return error;
    throw error;
  }
}

/** A case by what is right: its loss, a refusal that names something, or either of them. */
interface Case {
  readonly number: string;
  readonly what: string;
  readonly loss?: number;
  readonly refusal?: string;
}
const UNREAD = 'MISMATCH';
const CASES: readonly Case[] = [
  { number: '00', what: 'no fault', loss: 9.33867 },
  {
    number: '04',
    what: 'theta in two places that do not agree',
    loss: 9.41175,
    refusal: 'INVALID_ARGUMENT rope_theta',
  },
  { number: '20', what: 'a tied table under lm_head', loss: 9.33867 },
  { number: '32', what: 'the names of the base class', loss: 9.33867 },
  {
    number: '23',
    what: 'a foreign dtype that no float model reads',
    loss: 9.33867,
    refusal: `${UNREAD} kv_scale`,
  },
  { number: '01', what: 'biases without a flag', refusal: `${UNREAD} self_attn.q_proj.bias` },
  { number: '03', what: 'an adapter beside a linear', refusal: `${UNREAD} lora_A` },
  { number: '06', what: 'scaling without its type', refusal: 'INVALID_ARGUMENT rope_type' },
  { number: '21', what: 'a linear of whole numbers', refusal: 'DTYPE mlp.up_proj.weight' },
];

/** Whether an outcome is one that is right; the outcome itself where it is not, so that a failure shows it. */
function verdict(found: number | SpikeError, { loss, refusal }: Case): unknown {
  if (typeof found === 'number') return loss !== undefined && Math.abs(found - loss) < 1e-5 ? 'right' : found;
  const [code, named] = refusal?.split(' ') ?? [];
  return found.code === code && found.message.includes(named) ? 'right' : found;
}

it.for(CASES)('case $number: $what', async (one, { skip }) => {
  const name = names.find((each) => each.startsWith(`${one.number}-`));
  skip(name === undefined, 'the folder of cases is not there');
  expect(verdict(await outcome(join(parent, name!)), one)).toBe('right');
});
