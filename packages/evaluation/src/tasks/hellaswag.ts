import { BY_CHARACTER } from './metrics.ts';
import { defineTask, follow, index, text, texts } from './task.ts';

/** How a scene goes on, four endings. Zellers et al., arXiv 1905.07830. */
export const hellaswag = defineTask({
  name: 'hellaswag',
  files: ['hellaswag.validation.jsonl', 'hellaswag.validation.1000.jsonl'],
  source:
    '`query`, `choices` and `gold` of the rows of Rowan/hellaswag, validation, as lm-evaluation-harness cleans them',
  metrics: BY_CHARACTER,
  row: { query: text, choices: texts, gold: index },
  ask: ({ query, choices, gold }) => ({
    requests: choices.map((ending) => follow(query, ending)),
    gold,
  }),
});
