import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { readGolden, sharedDirectory } from '@spikellm/golden';
import { loadDecoder } from '@spikellm/graph';
import { describeModel, perplexity } from '../src/index.ts';

const golden = readGolden('stories260k');
const shared = sharedDirectory() ?? '';
const folder = join(shared, 'models', 'stories260k');
const file = join(shared, 'text', 'tinystories-excerpt.txt');

test('stories260k in float has the perplexity that PyTorch computes', async ({ skip }) => {
  skip(!existsSync(folder) || !existsSync(file), 'the stories260k checkpoint and its text are not here');
  await using model = await openModelFolder(folder);
  using backend = createReferenceBackend();
  using decoder = await loadDecoder({ config: model.config, tensors: model.tensors, backend });
  // The golden protocol counts characters after line ends are made one character each.
  const text = readFileSync(file, 'utf8').replaceAll('\r\n', '\n').slice(0, 26000);
  const ids = (await model.tokenizer()).encode(text);
  expect(ids).toHaveLength(golden.token_count);

  const { window, calibration_windows: skipWindows, windows } = golden;
  const result = await perplexity(decoder, ids, { window, skipWindows });
  expect(result.windows).toBe(windows - skipWindows);
  expect(result.perplexity).toBeCloseTo(golden.perplexity.fp32, 5);

  const report = await describeModel(model.config, model.tensors);
  expect(report.total.bitsPerWeight).toBe(32);
  expect(report.bytes.other).toBe(0);
});
