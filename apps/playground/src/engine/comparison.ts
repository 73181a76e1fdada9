/** Backends side by side: whether they write the same text, and how fast they are. */
import { decodeRate, promptRate, weightStreamRate, type Spread } from '@spikellm/benchmark';
import { generateTokens, loadDecoder } from '@spikellm/graph';
import { openVariant } from './backends.ts';
import type { Variant } from './contract.ts';
import { lookAtBrowser, type Offers } from './offers.ts';
import { SIDES, type Side } from './reply.ts';
import type { Workbench } from './workbench.ts';

/** A greedy text of one backend. */
export interface WrittenText {
  readonly side: Side;
  readonly ids: readonly number[];
  readonly text: string;
}

/** Rates of one backend. */
export interface VariantRates {
  readonly variant: Variant;
  readonly device: string;
  /** Tokens per second of the open model, one after the other. */
  readonly decode: number;
  /** Tokens per second of a prompt. */
  readonly prompt: number;
  /** Packed 4-bit weights that one token reads, beyond the caches: GB per second. */
  readonly stream: Spread;
}

const TEXT_TOKENS = 48;
const PROMPT_TOKENS = 128;
const DECODED_TOKENS = 64;
/** 4-bit weights of one matrix: large enough for the memory to count, small enough for a phone. */
const MATRIX = { inputs: 2048, outputs: 2048 };

export const comparisonOf = (workbench: Workbench) => ({
  lookAtBrowser: (): Promise<Offers> => lookAtBrowser(),

  /** What the models at hand say on a backend, the likeliest token each time. Errors: those of `openVariant`. */
  writeOn: (variant: Variant, prompt: string): Promise<WrittenText[]> =>
    workbench.work('writing a text', async (signal) => {
      using backend = await openVariant(variant);
      const texts: WrittenText[] = [];
      for (const side of SIDES.filter((name) => workbench.has(name))) {
        const { folder, tokenizer } = workbench.model(side);
        using decoder = await loadDecoder({ ...folder, backend, signal });
        const ids: number[] = [];
        for await (const id of generateTokens(decoder, tokenizer.encode(prompt), {
          maxTokens: TEXT_TOKENS,
          signal,
        })) {
          ids.push(id);
          workbench.report(`writing on ${variant}`, ids.length, TEXT_TOKENS);
        }
        texts.push({ side, ids, text: tokenizer.decode(ids) });
      }
      return texts;
    }),

  /** Measures one backend with the float model. Errors: those of `openVariant`. */
  measure: (variant: Variant): Promise<VariantRates> =>
    workbench.work('measuring', async (signal) => {
      using backend = await openVariant(variant);
      const parts = 3;
      const what = `measuring ${variant}`;
      workbench.report(what, 0, parts);
      using decoder = await loadDecoder({ ...workbench.model('float').folder, backend, signal });
      const prompt = Math.min(PROMPT_TOKENS, decoder.config.contextLength - 1);
      await promptRate(decoder, prompt, signal); // warms up
      const prompted = await promptRate(decoder, prompt, signal);
      workbench.report(what, 1, parts);
      const decoded = await decodeRate(
        decoder,
        Math.min(DECODED_TOKENS, decoder.config.contextLength - 16),
        signal,
      );
      workbench.report(what, 2, parts);
      const stream = await weightStreamRate(backend, { tokens: 1, ...MATRIX, rounds: 3, signal });
      workbench.report(what, parts, parts);
      return { variant, device: backend.report.device, decode: decoded, prompt: prompted, stream };
    }),
});
