import type { Quantised, QuantizeRequest } from './quantize-worker.ts';

/** Quantises the demo model in a worker and gives every file of the result, base64 by name. */
async function quantizeDemo(request: QuantizeRequest): Promise<Record<string, string>> {
  const worker = new Worker(new URL('./quantize-worker.ts', import.meta.url), { type: 'module' });
  const quantised = await new Promise<Quantised>((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<Quantised>) => resolve(data));
    worker.addEventListener('error', ({ message }) => reject(new Error(message)));
    worker.postMessage(request, []);
  });
  worker.terminate();
  if (typeof quantised === 'string') throw new Error(quantised);
  const entries = Array.from(quantised, async ([name, blob]) => [name, await base64(blob)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function base64(blob: Blob): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve((reader.result as string).replace(/^.*,/, '')));
    reader.readAsDataURL(blob);
  });
}

Object.assign(globalThis, { quantizeDemo, ready: true });
