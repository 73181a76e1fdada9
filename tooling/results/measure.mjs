/** What the tables of docs/results.md have in common: models, texts, and the way from settings to a perplexity. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { DEFAULT_SETTINGS, quantize, quantizeBaseline, sampleWindows } from '@spikellm/calibration';
import { openModelFolder } from '@spikellm/checkpoint';
import { describeModel, perplexity } from '@spikellm/evaluation';
import { loadDecoder } from '@spikellm/graph';

const WINDOW = 256;
const SAMPLES = 16;

/** What is calibrated on and what is evaluated, in tokens of windows that do not overlap. */
export const MODELS = {
  stories260k: {
    calibration: { text: 'tinystories-excerpt.txt', from: 0, windows: 17 },
    evaluation: { text: 'tinystories-excerpt.txt', from: 17, windows: 34 },
  },
  tales: {
    calibration: { text: 'tales-calibration.txt', from: 0, windows: 300 },
    evaluation: { text: 'tales-heldout.txt', from: 0, windows: 40 },
  },
};

/** A model of the shared folder, ready to be quantised and evaluated; `close` it. */
export async function openMeasurements(shared, name) {
  const backend = createCpuBackend();
  const folder = await mkdtemp(join(tmpdir(), 'spikellm-results-'));
  const model = await openModelFolder(join(shared, 'models', name));
  const tokenizer = await model.tokenizer();
  const idsOf = async ({ text, from, windows }) => {
    const content = await readFile(join(shared, 'text', text), 'utf8');
    return tokenizer
      .encode(content.replaceAll(/\r\n?/g, '\n'))
      .slice(from * WINDOW, (from + windows) * WINDOW);
  };
  const calibrationIds = await idsOf(MODELS[name].calibration);
  const evaluationIds = await idsOf(MODELS[name].evaluation);

  const evaluate = async (path) => {
    const opened = await openModelFolder(path);
    const decoder = await loadDecoder({ config: opened.config, tensors: opened.tensors, backend });
    const measured = await perplexity(decoder, evaluationIds, { window: WINDOW });
    decoder.dispose();
    await opened.close();
    return measured.perplexity;
  };
  return {
    backend,
    model,
    /** Calibration windows of a seed. */
    draw: (seed, samples = SAMPLES) => sampleWindows(calibrationIds, { samples, length: WINDOW, seed }),
    float: () => evaluate(model.path),
    /** Perplexity of the model with these settings in place of the defaults. */
    spiking: async (settings, windows, statistics) => {
      const out = join(folder, 'model');
      const all = { ...DEFAULT_SETTINGS, ...settings };
      await quantize({ model, out, backend, settings: all, windows, statistics });
      const result = await evaluate(out);
      await rm(out, { recursive: true });
      return result;
    },
    /** The same with what the model then takes. */
    described: async (settings, windows) => {
      const out = join(folder, 'model');
      const all = { ...DEFAULT_SETTINGS, ...settings };
      await quantize({ model, out, backend, settings: all, windows });
      const opened = await openModelFolder(out);
      const { total } = await describeModel(opened.config, opened.tensors);
      await opened.close();
      const result = {
        perplexity: await evaluate(out),
        bitsPerWeight: total.bitsPerWeight,
        weightSteps: total.averageWeightSteps ?? all.weightBits,
        activationSteps: total.averageSteps,
      };
      await rm(out, { recursive: true });
      return result;
    },
    /** Of a method without a packed format. */
    baseline: async (method, windows) => {
      const out = join(folder, 'model');
      const { bitsPerWeight, steps } = await quantizeBaseline({ model, out, backend, method, windows });
      const result = { perplexity: await evaluate(out), bitsPerWeight, weightSteps: steps };
      await rm(out, { recursive: true });
      return result;
    },
    close: async () => {
      await model.close();
      await rm(folder, { recursive: true });
    },
  };
}

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and standard deviation as a table shows them; one value as it is. */
export function spread(values) {
  if (values.length === 1) return values[0].toFixed(2);
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return `${centre.toFixed(2)} ± ${Math.sqrt(squares / (values.length - 1)).toFixed(2)}`;
}
