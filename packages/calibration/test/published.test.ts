import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import { readGolden, sharedDirectory } from '@spikellm/golden';
import { loadDecoder, parseModel } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  collectStatistics,
  DEFAULT_SETTINGS,
  quantize,
  type LayerStatistics,
  type QuantizeSettings,
} from '../src/index.ts';

/** Everything as the research code has it. */
const PUBLISHED: QuantizeSettings = {
  ...DEFAULT_SETTINGS,
  range: 'saturating',
  key: 'whole',
  mask: 'own',
};

/** The settings that a golden's name spells, such as `W4A4 spiking T=2 low_p=0.9, KV in float`. */
function settingsOf(name: string): QuantizeSettings {
  const [, weight, activation, , steps, low, float] =
    /^W(\d)A(\d) (round-to-nearest|spiking T=(\d) low_p=([\d.]+))(, KV in float)?$/.exec(name) ?? [];
  expect(weight, `${name}: a name that this test can read`).toBeDefined();
  return {
    ...PUBLISHED,
    weightBits: Number(weight),
    activationBits: Number(activation),
    steps: Number(steps ?? 1),
    salientFraction: low === undefined ? 0 : 1 - Number(low),
    key: float === undefined ? 'whole' : 'float',
  };
}

const golden = readGolden('stories260k');
const shared = sharedDirectory();
const missing = shared === undefined;
const REASON = 'the folder with stories260k and its text is not beside the repository';

describe('published perplexities of stories260k', () => {
  const backend = createReferenceBackend();
  let model: ModelFolder;
  let folder: string | undefined;
  let ids: number[];
  let windows: number[][];
  let statistics: LayerStatistics[];

  beforeAll(async () => {
    if (shared === undefined) return;
    folder = await mkdtemp(join(tmpdir(), 'spikellm-published-'));
    model = await openModelFolder(join(shared, 'models', 'stories260k'));
    const text = await readFile(join(shared, 'text', 'tinystories-excerpt.txt'), 'utf8');
    // The goldens were made from text with line feeds only.
    ids = (await model.tokenizer()).encode(text.replaceAll(/\r\n?/g, '\n').slice(0, 26000));
    const cut = (window: number) => ids.slice(window * golden.window, (window + 1) * golden.window);
    windows = Array.from({ length: golden.calibration_windows }, (_, window) => cut(window));
    const graph = parseModel(model.config);
    statistics = await collectStatistics({ graph, tensors: model.tensors, backend, windows });
  });
  afterAll(async () => {
    await model?.close();
    backend.dispose();
    if (folder) await rm(folder, { recursive: true });
  });

  async function measure(path: string): Promise<number> {
    await using opened = await openModelFolder(path);
    using decoder = await loadDecoder({ config: opened.config, tensors: opened.tensors, backend });
    const evaluated = ids.slice(golden.calibration_windows * golden.window, golden.windows * golden.window);
    return (await perplexity(decoder, evaluated, { window: golden.window })).perplexity;
  }

  it('reads the text as the goldens do', ({ skip }) => {
    skip(missing, REASON);
    expect(ids.slice(0, 32)).toEqual(golden.first_32_ids);
    expect(ids.length).toBe(golden.token_count);
  });

  it.for(Object.entries(golden.perplexity))('%s within 0.5 %%', async ([name, want], { skip }) => {
    skip(missing, REASON);
    const path = name === 'fp32' ? model.path : join(folder!, name.replaceAll(/\W+/g, '-'));
    if (name !== 'fp32') {
      await quantize({ model, out: path, backend, settings: settingsOf(name), windows, statistics });
    }
    const got = await measure(path);
    expect(Math.abs(got / want - 1), `${got} against ${want}`).toBeLessThan(0.005);
  });
});
