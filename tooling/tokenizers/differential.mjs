// Holds tokenizers against the Rust library:
//   node tooling/tokenizers/differential.mjs <folder or tokenizer.json>... [--count 10000] [--seed 1] [--show 5]
// SPIKELLM_PYTHON names a Python that has the package `tokenizers`.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openTokenizer } from '@spikellm/checkpoint';
import { createRandom, createTexts } from './texts.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    show: { type: 'string', default: '5' },
  },
});
const [count, seed, show] = [values.count, values.seed, values.show].map(Number);
let wrong = 0;
let compared = 0;
for (const source of positionals) {
  const file = statSync(source).isDirectory() ? join(source, 'tokenizer.json') : source;
  const { texts, failures, seconds, characters } = await compare(file);
  wrong += failures.length;
  compared += texts;
  console.log(
    `${source}: ${texts} texts, ${failures.length} differ, ${(characters / seconds / 1e6).toFixed(2)} million characters a second`,
  );
  for (const failure of failures.slice(0, show)) console.log(`  ${JSON.stringify(failure)}`);
}
console.log(`${positionals.length} tokenizers, ${compared} texts, ${wrong} differ`);
process.exitCode = wrong === 0 ? 0 : 1;

async function compare(file) {
  const folder = mkdtempSync(join(tmpdir(), 'tokenizers-'));
  try {
    copyFileSync(file, join(folder, 'tokenizer.json'));
    const definition = JSON.parse(readFileSync(file, 'utf8'));
    const added = (definition.added_tokens ?? []).map(({ content }) => content);
    const tokenizer = await openTokenizer(folder);
    const texts = createTexts(seed, count, added);
    const sequences = createSequences(tokenizer);
    const expected = askRust(folder, { path: join(folder, 'tokenizer.json'), texts, sequences });
    const failures = [];
    const began = performance.now();
    const ids = texts.map((text) => tokenizer.encode(text, { special: false }));
    const seconds = (performance.now() - began) / 1000;
    texts.forEach((text, i) => {
      const wanted = expected.ids[i];
      if (!same(ids[i], wanted)) failures.push({ text, ids: ids[i], wanted });
      else if (tokenizer.decode(wanted) !== expected.texts[i])
        failures.push({ ids: wanted, text: tokenizer.decode(wanted), wanted: expected.texts[i] });
      else if (streamed(tokenizer, wanted) !== expected.texts[i])
        failures.push({ ids: wanted, streamed: streamed(tokenizer, wanted), wanted: expected.texts[i] });
    });
    // The Rust library gives up all bytes of a row that is no UTF-8, so only rows without marks are the same.
    const strict = definition.model.byte_fallback === true;
    sequences.forEach((sequence, i) => {
      const wanted = expected.decoded[i];
      const text = tokenizer.decode(sequence);
      if (text !== wanted && !(strict && wanted.includes('\uFFFD')))
        failures.push({ sequence, text, wanted });
      if (streamed(tokenizer, sequence) !== text)
        failures.push({ sequence, streamed: streamed(tokenizer, sequence), text });
    });
    return { texts: texts.length, failures, seconds, characters: texts.join('').length };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function same(a, b) {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

/** Ids at random, which no text would give. */
function createSequences({ has, vocabularySize }) {
  const random = createRandom(seed + 1);
  const one = () => {
    for (;;) {
      const id = random(random(2) === 0 ? Math.min(600, vocabularySize) : vocabularySize);
      if (has(id)) return id;
    }
  };
  return Array.from({ length: Math.ceil(count / 5) }, () => Array.from({ length: 1 + random(16) }, one));
}

function streamed(tokenizer, ids) {
  const stream = tokenizer.stream();
  return ids.map((id) => stream.push(id)).join('') + stream.end();
}

function askRust(folder, request) {
  const [asked, answered] = [join(folder, 'request.json'), join(folder, 'answer.json')];
  writeFileSync(asked, JSON.stringify(request));
  const python = process.env.SPIKELLM_PYTHON ?? 'python3';
  const { status, stderr } = spawnSync(python, [join(import.meta.dirname, 'oracle.py'), asked, answered], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(readFileSync(answered, 'utf8'));
}
