/** What room Calibrate asks for: saliency, perplexities, and one channel at a time. */
import { SpikeError } from '@spikellm/backend';
import { cutWindows, describeModel, perplexity } from '@spikellm/evaluation';
import { inputSites, loadDecoder, parseModel, type Decoder } from '@spikellm/graph';
import { sumScores } from '@spikellm/saliency';
import { lookAtChannel, type ChannelRequest, type ChannelView } from './channel.ts';
import type { Measured, Measurement } from './measured.ts';
import type { SpikingRequest } from './settings.ts';
import { roundToNearest } from './round-to-nearest.ts';
import { quantised, type LayerInput } from './spiking.ts';
import { statisticsOf, type StatisticsRequest } from './statistics.ts';
import { windowOf } from './windows.ts';
import type { OpenModel, Workbench } from './workbench.ts';

/** Windows of a text that are measured, at most. */
const MAX_WINDOWS = 16;

export interface SaliencyRow extends LayerInput {
  /** The linears that read this input. */
  readonly linears: readonly string[];
  /** Published saliency of each channel, summed over the linears that read it, signed, [C]. */
  readonly scores: Float64Array;
}

export interface SaliencyMap {
  readonly request: StatisticsRequest;
  readonly rows: readonly SaliencyRow[];
}

export const calibrateOf = (workbench: Workbench) => {
  /** Measurements that do not depend on the spiking model, by the open float model. */
  const kept = new WeakMap<OpenModel, Map<string, Measurement>>();

  return {
    /** Errors: those of the calibration windows; rejects with an AbortError when stopped. */
    findSaliency: (request: StatisticsRequest): Promise<SaliencyMap> =>
      workbench.work('finding saliency', async (signal) => {
        const statistics = await statisticsOf(workbench, request, signal);
        const { layers } = parseModel(workbench.model('float').folder.config);
        const rows = statistics.flatMap(({ channels }, layer) =>
          inputSites(layers[layer]).map(({ name: group, readers }): SaliencyRow => {
            const linears = readers.map(({ name }) => name);
            return { layer, group, linears, scores: sumScores(linears.map((name) => channels[name])) };
          }),
        );
        return { request, rows };
      }),

    /** Errors: INVALID_ARGUMENT for a text that has no window. */
    checkText(text: string): void {
      windowsOf(workbench.model('float'), text);
    },

    /**
     * Perplexity of a model on a text, and what the model is. The float one and the rounded one are measured once a text
     * and backend.
     * Errors: as `checkText`, those of `perplexity`; rejects with an AbortError when stopped.
     */
    measurePerplexity: (which: Measured, text: string, request: SpikingRequest): Promise<Measurement> =>
      workbench.work(`measuring ${which}`, async (signal) => {
        const float = workbench.model('float');
        const ids = windowsOf(float, text);
        const rounded = roundToNearest(request.settings);
        const { weightBits, activationBits, key } = rounded;
        const name = JSON.stringify([
          which,
          workbench.backend().report.device,
          which === 'rounded' && [weightBits, activationBits, key],
          text,
        ]);
        const before = which === 'spiking' ? undefined : kept.get(float)?.get(name);
        if (before !== undefined) return before;
        const measured =
          which === 'rounded'
            ? await measureRounded(workbench, { ...request, settings: rounded }, ids, signal)
            : await measureWith(
                workbench,
                which,
                workbench.model(which),
                await workbench.decoder(which, signal),
                ids,
                signal,
              );
        const ofModel = kept.get(float) ?? new Map<string, Measurement>();
        if (which !== 'spiking') kept.set(float, ofModel.set(name, measured));
        return measured;
      }),

    /** Errors: INVALID_ARGUMENT for a channel that is not there; rejects with an AbortError when stopped. */
    lookAtChannel: (request: ChannelRequest): Promise<ChannelView> =>
      workbench.work('looking at a channel', (signal) => lookAtChannel(workbench, request, signal)),
  };
};

/** The tokens of a text that has a window. */
function windowsOf(model: OpenModel, text: string): readonly number[] {
  const ids = model.tokenizer.encode(text);
  const window = windowOf(model);
  if (ids.length >= window) return ids;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'text',
    expected: `at least ${window} tokens, one window`,
    received: String(ids.length),
    remedy: 'give a longer one',
  });
}

async function measureRounded(
  workbench: Workbench,
  request: SpikingRequest,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<Measurement> {
  const model = await quantised(workbench, request, signal);
  const { config, tensors } = model.folder;
  using decoder = await loadDecoder({ config, tensors, backend: workbench.backend(), signal });
  return await measureWith(workbench, 'rounded', model, decoder, ids, signal);
}

async function measureWith(
  workbench: Workbench,
  what: string,
  model: OpenModel,
  decoder: Decoder,
  ids: readonly number[],
  signal: AbortSignal,
): Promise<Measurement> {
  const { total, bytes } = await describeModel(model.folder.config, model.folder.tensors, { signal });
  const window = windowOf(model);
  const { length } = cutWindows(ids, { window, maxWindows: MAX_WINDOWS });
  workbench.report(`reading the text, ${what}`, 0, length);
  const began = performance.now();
  const { perplexity: value, tokens } = await perplexity(decoder, ids, {
    window,
    maxWindows: MAX_WINDOWS,
    signal,
    onProgress: (done) => workbench.report(`reading the text, ${what}`, done, length),
  });
  return {
    perplexity: value,
    tokens,
    windows: length,
    window,
    seconds: (performance.now() - began) / 1000,
    bytes: bytes.total,
    bitsPerWeight: total.bitsPerWeight,
    salientChannels: total.salientChannels,
    averageSteps: total.averageSteps,
    transmittedBits: total.transmittedBits,
    informationBits: total.informationBits,
    thresholdBits: total.thresholdBits,
    bitsPerActivation: total.bitsPerActivation,
  };
}
