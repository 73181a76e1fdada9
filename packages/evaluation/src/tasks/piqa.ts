import * as v from 'valibot';
import { BY_CHARACTER } from './metrics.ts';
import { defineTask, follow, text } from './task.ts';

/** Physical common sense: which of two ways reaches a goal. Bisk et al., arXiv 1911.11641. */
export const piqa = defineTask({
  name: 'piqa',
  files: ['piqa.validation.jsonl'],
  source: '`goal`, `sol1`, `sol2` and `label` (0 or 1) of the rows of ybisk/piqa, validation',
  metrics: BY_CHARACTER,
  row: { goal: text, sol1: text, sol2: text, label: v.picklist([0, 1], 'to be 0 or 1') },
  ask: ({ goal, sol1, sol2, label }) => ({
    requests: [sol1, sol2].map((solution) => follow(`Question: ${goal}\nAnswer:`, solution)),
    gold: label,
  }),
});
