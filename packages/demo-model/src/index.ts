/**
 * Addresses of a tiny LLaMA and two short texts that come with the package: `file:` URLs in Node, asset URLs
 * once a browser bundler has seen them. `fetch` takes them in a browser, `node:fs` in Node.
 *
 * @module
 */

// Every URL is written out, because bundlers look for exactly this form and ship the file that it names.

/** The files of a LLaMA of 3,967,744 parameters in half precision, as Hugging Face lays a model folder out. */
export const model = {
  config: new URL('../model/config.json', import.meta.url),
  weights: new URL('../model/model.safetensors', import.meta.url),
  tokenizer: new URL('../model/tokenizer.json', import.meta.url),
  tokenizerConfig: new URL('../model/tokenizer_config.json', import.meta.url),
} as const;

/** Fairy tales written for this project, in ASCII with one paragraph a line; the two share no tale. */
export const texts = {
  calibration: new URL('../texts/calibration.txt', import.meta.url),
  evaluation: new URL('../texts/evaluation.txt', import.meta.url),
} as const;
