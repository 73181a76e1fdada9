import { expect, test } from 'vitest';

/** A page of this policy that opens a backend, and what it says. */
async function opened(policy: string): Promise<string> {
  const module = new URL('../../../packages/backend-wasm/dist/index.js', import.meta.url).href;
  const frame = document.createElement('iframe');
  const heard = new Promise<string>((resolve) => {
    addEventListener('message', ({ source, data }: MessageEvent<string>) => {
      if (source === frame.contentWindow) resolve(data);
    });
  });
  frame.srcdoc = `
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <script type="module">
      import { createWasmBackend } from '${module}';
      const said = await createWasmBackend({ threads: 1 }).then(
        ({ report }) => report.device,
        ({ code, message }) => code + ': ' + message,
      );
      parent.postMessage(said, '*');
    </script>`;
  document.body.append(frame);
  try {
    return await heard;
  } finally {
    frame.remove();
  }
}

test('a page whose policy refuses WebAssembly is told what would allow it', async () => {
  expect(await opened("script-src 'self' 'unsafe-inline'")).toMatch(
    /^UNSUPPORTED: backend-wasm: expected a page that may run WebAssembly, .*; add 'wasm-unsafe-eval' to script-src/,
  );
  expect(await opened("script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'")).toBe(
    'WebAssembly relaxed SIMD on one thread',
  );
});
