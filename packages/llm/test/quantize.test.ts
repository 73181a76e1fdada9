import { existsSync, readFileSync } from 'node:fs';
import { createMemoryFiles } from '@spikellm/checkpoint';
import { DEFAULT_SETTINGS } from '@spikellm/calibration';
import { texts } from '@spikellm/demo-model';
import { expect, it } from 'vitest';
import { openModel, quantize, type QuantizeProgress, type Written } from '../src/index.ts';
import { scratch, TALES, whole } from './places.ts';

const SMALL = { samples: 1, seqlen: 16, evalWindows: 1 };

it('makes a model from settings that are partial, tells how far it is, and reports what it made', async () => {
  using folder = scratch();
  const out = folder.at('spiking');
  const phases = new Set<string>();
  const notices: string[] = [];
  const written: Written[] = [];
  const report = await quantize(
    TALES,
    out,
    { steps: 4, salientFraction: 0.05 },
    {
      ...SMALL,
      onProgress: ({ phase }: QuantizeProgress) => phases.add(phase),
      onNotice: (text) => notices.push(text),
      onWritten: (model) => written.push(model),
    },
  );
  expect(report).toMatchObject({
    model: TALES,
    out,
    settings: { ...DEFAULT_SETTINGS, steps: 4, salientFraction: 0.05 },
    samples: 1,
    seqlen: 16,
    windows: 1,
    window: 16,
    tokens: 15,
  });
  expect(report.averageSteps).toBeCloseTo(1.15, 1);
  expect(report.repeat).toBe(`spikellm eval ${out} --text ${report.text} --window 16 --max-windows 1`);
  expect(notices).toEqual([`calibrating on the bundled text, ${report.text}`]);
  expect(written).toEqual([{ out, seconds: report.seconds, repeat: report.repeat }]);
  expect([...phases]).toEqual(['check', 'calibrate', 'encode', 'load', 'evaluate']);

  await using model = await openModel(out);
  expect(model.spiking?.activations.steps).toBe(4);
  const measured = await model.perplexity(readFileSync(report.text!, 'utf8'), { window: 16, maxWindows: 1 });
  expect(measured.perplexity).toBe(report.perplexity);
  expect(await whole(model.generate('The king', { maxTokens: 3 }))).not.toBe('');
});

it('works in a store of files, on a text without a name, as a page does', async () => {
  const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const source = names.map((name) => new File([readFileSync(`${TALES}${name}`)], name));
  const files = createMemoryFiles();
  const text = readFileSync(texts.evaluation, 'utf8');
  const report = await quantize(source, 'out', {}, { ...SMALL, text, files, backend: 'reference' });
  expect(report).toMatchObject({ model: 'files', text: null, repeat: null, backend: 'reference' });
  expect([...files.blobs('out').keys()]).toContain('tokenizer.json');
  await using model = await openModel('out', { files });
  expect(model.encode('The king')).toHaveLength(3);
});

it('what cannot be is refused before anything is written; what was stopped goes on', async () => {
  using folder = scratch();
  const out = folder.at('out');
  await expect(quantize(TALES, out, {}, { ...SMALL, text: 'too short' })).rejects.toThrow('calibration text');
  await expect(quantize(TALES, out, {}, { ...SMALL, seqlen: 0 })).rejects.toThrow('seqlen: expected');
  expect(existsSync(`${out}.partial`)).toBe(false);

  const stop = new AbortController();
  const stopped = quantize(
    TALES,
    out,
    {},
    {
      ...SMALL,
      signal: stop.signal,
      onProgress: ({ phase, done }) => phase === 'encode' && done === 2 && stop.abort(new Error('enough')),
    },
  );
  await expect(stopped).rejects.toThrow('enough');
  expect(existsSync(out)).toBe(false);
  await expect(quantize(TALES, out, {}, SMALL)).rejects.toThrow('resume');
  expect((await quantize(TALES, out, {}, { ...SMALL, resume: true })).out).toBe(out);
});
