/** Runs that are killed or stopped in each of their phases go on to the same bytes. */
import { spawnSync } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { openModelFolder } from '@spikellm/checkpoint';
import { describe, expect, it } from 'vitest';
import {
  PIPELINES,
  type QuantizeOptions,
  type QuantizeProgress,
  type QuantizeSettings,
} from '../src/index.ts';
import { TINY_CONFIG, tinyTensors, tinyWindows, writeTinyModel } from './tiny-model.ts';
import { contents, tinyRuns } from './tiny-runs.ts';

const windows = tinyWindows(4, 40);
const { folder, source, run } = tinyRuns(windows);
const optionsOf = (pipeline: string): NonNullable<QuantizeSettings['options']> =>
  pipeline === 'omniquant' ? { epochs: 2, augmentedLoss: true } : {};

const STOPPED = new Error('stopped');

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function eventsByPhase(events: readonly QuantizeProgress[]): Map<string, QuantizeProgress[]> {
  const phases = new Map<string, QuantizeProgress[]>();
  for (const event of events) phases.set(event.phase, [...(phases.get(event.phase) ?? []), event]);
  return phases;
}

describe.each(PIPELINES)('a run of $name', ({ name: pipeline }) => {
  const options = optionsOf(pipeline);
  /** Stops at an event, without memory for activations. */
  async function stop(out: string, changes: Partial<QuantizeSettings>, at: QuantizeProgress): Promise<void> {
    const controller = new AbortController();
    const stopped = run(out, changes, {
      memory: 0,
      signal: controller.signal,
      onProgress: ({ phase, done }) =>
        void (phase === at.phase && done === at.done && controller.abort(STOPPED)),
    });
    await expect(stopped).rejects.toBe(STOPPED);
  }

  it.each(['obs', 'fisher'])(
    'resumes to the same bytes from the middle of every phase: %s',
    async (saliency) => {
      const changes = { pipeline, options, saliency };
      const name = `${pipeline} ${saliency}`;
      const all: QuantizeProgress[] = [];
      await run(`whole ${name}`, changes, { onProgress: (progress) => void all.push(progress) });
      const whole = await contents(join(folder, `whole ${name}`));
      const phases = eventsByPhase(all);
      expect(phases.size).toBeGreaterThanOrEqual(2);
      for (const [phase, events] of phases) {
        const out = `stopped in ${phase} ${name}`;
        await stop(out, changes, events[Math.floor(events.length / 2)]);
        const begun = await exists(join(folder, `${out}.partial`));
        // What is wrong with the input is found before anything is written.
        expect(begun).toBe(phase !== 'check');
        const resumed = await run(out, changes, { resume: begun, memory: 0 });
        expect(await contents(resumed), phase).toEqual(whole);
      }
    },
  );
});

describe('a killed run', () => {
  const script = (out: string, pipeline: string, phase: string, done: number): string => `
    import { createReferenceBackend } from '@spikellm/backend';
    import { openModelFolder } from '@spikellm/checkpoint';
    import { DEFAULT_SETTINGS, quantize } from '@spikellm/calibration';
    await quantize({
      model: await openModelFolder(${JSON.stringify(source)}),
      out: ${JSON.stringify(join(folder, out))},
      backend: createReferenceBackend(),
      settings: { ...DEFAULT_SETTINGS, pipeline: '${pipeline}', options: ${JSON.stringify(optionsOf(pipeline))} },
      windows: ${JSON.stringify(windows)},
      memory: 0,
      onProgress: (p) => { if (p.phase === '${phase}' && p.done === ${done}) process.kill(process.pid, 'SIGKILL'); },
    });`;

  it.each([
    ['rtn', 'calibrate', 2],
    ['rtn', 'encode', 2],
    ['smoothquant', 'calibrate', 2],
    ['smoothquant', 'calibrate', 7],
    ['smoothquant', 'calibrate', 12],
    ['smoothquant', 'encode', 1],
    ['smoothquant', 'encode', 3],
    ['omniquant', 'train', 1],
    ['omniquant', 'train', 13],
    ['omniquant', 'train', 24],
    ['gptq', 'compensate', 1],
    ['gptq', 'compensate', 8],
    ['gptq', 'compensate', 21],
  ] as const)('of %s in phase %s at %i resumes to the same bytes', async (pipeline, phase, done) => {
    const out = `killed ${pipeline} ${phase} ${done}`;
    const options = optionsOf(pipeline);
    const { signal } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script(out, pipeline, phase, done)],
      { cwd: import.meta.dirname },
    );
    expect(signal).toBe('SIGKILL');
    expect(await exists(join(folder, out))).toBe(false);
    const resumed = await run(out, { pipeline, options }, { resume: true });
    const whole = await run(`whole ${pipeline} ${phase} ${done}`, { pipeline, options });
    expect(await contents(resumed)).toEqual(await contents(whole));
  });
});

describe('an unfinished run', () => {
  it('is not continued with other settings, nor without being asked', async () => {
    const stop = new AbortController();
    const onProgress: QuantizeOptions['onProgress'] = ({ phase }) =>
      void (phase === 'calibrate' && stop.abort(STOPPED));
    await expect(run('refuses', {}, { signal: stop.signal, onProgress })).rejects.toBe(STOPPED);
    await expect(run('refuses')).rejects.toThrow('--resume to continue it or delete the folder');
    const again = (changes: Partial<QuantizeSettings>, options: Partial<QuantizeOptions> = {}) =>
      run('refuses', changes, { resume: true, ...options });
    await expect(again({ weightBits: 3, key: 'token' })).rejects.toThrow(
      'expected the run that began it, received one with weightBits 3 instead of 4, key token instead of block; resume',
    );
    await expect(again({}, { windows: tinyWindows(3, 40) })).rejects.toThrow(
      /received one with calibration tokens \w{16} instead of \w{16}; resume/,
    );
    const other = await writeTinyModel(join(folder, 'other'), { tensors: tinyTensors(TINY_CONFIG, 8) });
    await using model = await openModelFolder(other);
    await expect(again({}, { model })).rejects.toThrow(
      /received one with model \w{16} instead of \w{16}; resume/,
    );
    await run('refuses', {}, { resume: true });
  });
});
