/** The gptq pipeline over a small model: what it loses against round-to-nearest, and what it says of bad input. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openModelFolder } from '@spikellm/checkpoint';
import { loadDecoder } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, type QuantizeOptions, type QuantizeSettings } from '../src/index.ts';
import { tinyTensors, tinyWindows, writeTinyModel } from './tiny-model.ts';
import { tinyRuns } from './tiny-runs.ts';

const windows = tinyWindows(6, 40);
const gptq: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline: 'gptq', activationBits: 16 };

const { folder, source, backend, run } = tinyRuns(windows, gptq);

/** The mean squared distance of a model's logits from those of the float model, on the calibration windows. */
async function distance(path: string): Promise<number> {
  const logitsOf = async (of: string): Promise<Float32Array[]> => {
    await using opened = await openModelFolder(of);
    using decoder = await loadDecoder({ config: opened.config, tensors: opened.tensors, backend });
    const all: Float32Array[] = [];
    for (const window of windows) {
      using cache = decoder.createCache(window.length);
      using logits = decoder.forward(window, cache, { logits: 'all' });
      all.push((await backend.read(logits)).data as Float32Array);
    }
    return all;
  };
  const [want, got] = [await logitsOf(source), await logitsOf(path)];
  const errors = got.flatMap((logits, i) => Array.from(logits, (value, j) => (value - want[i][j]) ** 2));
  return errors.reduce((sum, value) => sum + value, 0) / errors.length;
}

const STOPPED = new Error('stopped');
/** One step everywhere, a scale a row. */
const PLAIN = { salientWeights: 0, weightGroup: undefined, weightUnit: undefined };

describe('the gptq pipeline', () => {
  it.each([{ weightBits: 4 }, { weightBits: 3 }, { weightBits: 3, options: { actOrder: false } }])(
    'is closer to the float model than round-to-nearest with %o',
    async (changes) => {
      const name = JSON.stringify(changes).replaceAll(/\W/g, '');
      const mine = await distance(await run(`gptq ${name}`, changes));
      const nearest = await distance(
        await run(`rtn ${name}`, { weightBits: changes.weightBits, pipeline: 'rtn' }),
      );
      expect(mine).toBeLessThan(nearest);
    },
  );

  it.each([
    { weightGroup: 7 },
    { weightUnit: 'element' },
    { weightUnit: 'element', weightGroup: 7 },
  ] as const)('writes ternary weights with %o, and goes on to the same bytes', async (changes) => {
    const name = JSON.stringify(changes).replaceAll(/\W/g, '');
    const settings = { options: { weights: 'ternary', ...changes } } as const;
    const whole = await run(`whole ${name}`, settings);
    const stop = new AbortController();
    const interrupted = run(`parts ${name}`, settings, {
      signal: stop.signal,
      onProgress: ({ phase, done }) => void (phase === 'compensate' && done === 9 && stop.abort(STOPPED)),
    });
    await expect(interrupted).rejects.toBe(STOPPED);
    // Another grouping is another run, which must not go on from this one.
    await expect(
      run(`parts ${name}`, { options: { ...settings.options, weightGroup: 5 } }, { resume: true }),
    ).rejects.toThrow(/received one with gptq\.weightGroup 5 instead of (7|nothing)/);
    const parts = await run(`parts ${name}`, settings, { resume: true });
    for (const file of await readdir(whole)) {
      expect(await readFile(join(parts, file)), file).toEqual(await readFile(join(whole, file)));
    }
    const config = JSON.parse(await readFile(join(whole, 'config.json'), 'utf8'));
    expect(config.quantization_config.weights).toEqual({
      kind: 'ternary',
      steps: [1, 3],
      ...('weightGroup' in changes && { group: 7 }),
      ...('weightUnit' in changes && { unit: 'element' }),
    });
    // What was written is read: it loses less than a model of one step and one scale a row.
    const plain = await run(`plain ${name}`, { options: { ...settings.options, ...PLAIN } });
    expect(await distance(whole)).toBeLessThan(await distance(plain));
  });

  it('keeps a log of every linear', async () => {
    const path = await run('log', { activationBits: 4 });
    const log = JSON.parse(await readFile(join(path, 'gptq_log.json'), 'utf8'));
    expect(log).toHaveLength(3);
    expect(log[2].layer).toBe(2);
    expect(log[2].linears.map(({ linear }: { linear: string }) => linear)).toEqual([
      'self_attn.q_proj',
      'self_attn.k_proj',
      'self_attn.v_proj',
      'self_attn.o_proj',
      'mlp.gate_proj',
      'mlp.up_proj',
      'mlp.down_proj',
    ]);
    expect(log[0].linears[0]).toEqual({
      linear: 'self_attn.q_proj',
      error: expect.any(Number),
      damping: 0.01,
    });
  });

  it('counts its linears', async () => {
    const seen: string[] = [];
    const onProgress: QuantizeOptions['onProgress'] = ({ phase, done, total }) => {
      if (phase === 'compensate') seen.push(`${done}/${total}`);
    };
    await run('progress', {}, { onProgress });
    expect(seen).toEqual(Array.from({ length: 21 }, (_, i) => `${i + 1}/21`));
  });

  it('frees what it took from the backend', async () => {
    const before = backend.liveBytes;
    await run('frees', { activationBits: 4 });
    expect(backend.liveBytes).toBe(before);
  });

  it('says where inputs are not finite: the layer, the linears and the sample', async () => {
    const tensors = tinyTensors();
    // Token 7 alone is so large that the squares of its channels overflow behind the first norm of layer 1.
    const norm = tensors.get('model.layers.1.input_layernorm.weight')!;
    (norm.data as Float32Array).fill(3e38);
    const from = await writeTinyModel(join(folder, 'overflow'), { tensors });
    await expect(run('not finite', {}, { from })).rejects.toThrow(
      /^layer 1, q_proj, k_proj, v_proj: expected finite inputs on the calibration text, received a sum of squares of (Infinity|NaN) in channel \d+, since sample 0; the model overflows on that sample/,
    );
  });

  it('raises a damping of 0 where there are fewer tokens than channels, and says so', async () => {
    const notices: string[] = [];
    await run(
      'few tokens',
      { options: { damping: 0 } },
      { windows: tinyWindows(1, 8), onNotice: (text) => void notices.push(text) },
    );
    expect(notices.length).toBeGreaterThan(0);
    expect(notices[0]).toMatch(
      /^layer 0, q_proj, k_proj, v_proj: the Hessian is not positive definite at channel \d+ with/,
    );
  });

  it.each([-1, 2, Number.NaN])('refuses a damping of %d', async (damping) => {
    await expect(run('damping', { options: { damping } })).rejects.toThrow(
      `damping: expected a number from 0 to 1, received ${damping}`,
    );
  });
});
