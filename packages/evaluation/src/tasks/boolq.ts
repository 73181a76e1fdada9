import * as v from 'valibot';
import { BY_LIKELIHOOD } from './metrics.ts';
import { defineTask, follow, text } from './task.ts';

/** Questions that a passage answers with no or yes. Clark et al., arXiv 1905.10044. */
export const boolq = defineTask({
  name: 'boolq',
  files: ['boolq.validation.jsonl'],
  source:
    '`passage`, `question` and `label` (0 for no, 1 for yes) of the rows of aps/super_glue, boolq, validation',
  metrics: BY_LIKELIHOOD,
  row: { passage: text, question: text, label: v.picklist([0, 1], 'to be 0 or 1') },
  ask: ({ passage, question, label }) => ({
    requests: ['no', 'yes'].map((answer) => follow(`${passage}\nQuestion: ${question}?\nAnswer:`, answer)),
    gold: label,
  }),
});
