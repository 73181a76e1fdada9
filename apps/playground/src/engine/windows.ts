/** Which tokens are looked at. */
import { sampleWindows } from '@spikellm/calibration';
import { texts } from '@spikellm/demo-model';
import { parseModel } from '@spikellm/graph';
import type { OpenModel } from './workbench.ts';

/** Tokens of a window, where the context of the model has room for them. */
const WINDOW = 256;

export const windowOf = ({ folder }: OpenModel): number =>
  Math.min(WINDOW, parseModel(folder.config).config.contextLength);

/** Windows of the bundled calibration text, as the command line draws them. */
export async function calibrationWindows(
  model: OpenModel,
  { samples, seed }: { readonly samples: number; readonly seed: number },
): Promise<number[][]> {
  const text = await (await fetch(texts.calibration)).text();
  return sampleWindows(model.tokenizer.encode(text), { samples, length: windowOf(model), seed });
}
