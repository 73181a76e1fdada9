import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { openGguf } from '@spikellm/checkpoint';
import { sharedDirectory } from '@spikellm/golden';
import { loadDecoder } from '@spikellm/graph';
import { prepareTask, readItems, runTask, TASKS } from '../src/index.ts';

interface GoldenTask {
  readonly items: readonly { readonly i: number; readonly ll: number[]; readonly greedy: boolean[] }[];
}

const shared = sharedDirectory() ?? '';
const file = join(shared, 'models', 'smollm2-135m', 'SmolLM2-135M-Instruct.Q4_1.gguf');
const numbers = join(process.env.SPIKELLM_GOLDEN_DIR ?? join(shared, 'golden'), 'smollm2.json');
/** Items of each task: all 100 of them take minutes. */
const ITEMS = 3;

test(
  'SmolLM2 has the log-likelihoods that lm-evaluation-harness computes',
  { timeout: 300_000 },
  async ({ skip }) => {
    skip(!existsSync(file) || !existsSync(numbers), 'SmolLM2 and its numbers are not here');
    const golden = JSON.parse(readFileSync(numbers, 'utf8')).tasks as Record<string, GoldenTask>;
    await using model = await openGguf(file);
    using backend = createCpuBackend();
    using decoder = await loadDecoder({ config: model.config, tensors: model.tensors, backend });
    const { contextLength } = decoder.config;
    const tokenizer = await model.tokenizer();
    for (const task of TASKS) {
      const path = task.files.map((name) => join(shared, 'tasks', name)).find(existsSync)!;
      const items = readItems(task, readFileSync(path, 'utf8'), { where: path, limit: ITEMS });
      const { items: scores } = await runTask(
        decoder,
        prepareTask(task, items, { tokenizer, contextLength }),
      );
      for (const { i, ll, greedy } of golden[task.name].items.slice(0, ITEMS)) {
        expect({ task: task.name, i, greedy: scores[i].greedy }).toEqual({ task: task.name, i, greedy });
        for (const [choice, value] of ll.entries())
          expect(Math.abs(scores[i].logLikelihoods[choice] - value)).toBeLessThan(1e-3);
      }
    }
  },
);
