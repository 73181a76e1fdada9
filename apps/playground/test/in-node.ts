/** The computation of the page through the packages in Node, for tests. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { DEFAULT_SETTINGS, quantize, sampleWindows, type QuantizeSettings } from '@spikellm/calibration';
import { createMemoryFiles, openModelFolder, type TextTokenizer } from '@spikellm/checkpoint';
import { model as bundled, texts } from '@spikellm/demo-model';
import { loadDecoder, type Decoder } from '@spikellm/graph';

export interface NodeModels extends Disposable {
  readonly tokenizer: TextTokenizer;
  readonly float: Decoder;
  readonly spiking: Decoder;
}

/** The bundled model, and the spiking one made from it with these settings. */
export async function openInNode(
  samples: number,
  settings: Partial<QuantizeSettings> = {},
): Promise<NodeModels> {
  const wanted = { ...DEFAULT_SETTINGS, ...settings };
  await using model = await openModelFolder(fileURLToPath(new URL('.', bundled.config)));
  const tokenizer = await model.tokenizer();
  const ids = tokenizer.encode(readFileSync(texts.calibration, 'utf8'));
  const windows = sampleWindows(ids, { samples, length: 256, seed: wanted.seed });
  const backend = await createWasmBackend();
  const files = createMemoryFiles();
  await quantize({ model, out: 'out', files, backend, windows, settings: wanted });
  await using spiking = await openModelFolder('out', { files });
  return {
    tokenizer,
    float: await loadDecoder({ ...model, backend }),
    spiking: await loadDecoder({ ...spiking, backend }),
    [Symbol.dispose]: () => backend.dispose(),
  };
}
