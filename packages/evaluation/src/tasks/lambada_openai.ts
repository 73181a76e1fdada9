import { BY_GREEDY } from './metrics.ts';
import { defineTask, follow, text } from './task.ts';

/** The last word of a passage. Paperno et al., arXiv 1606.06031, in the texts that OpenAI published. */
export const lambadaOpenai = defineTask({
  name: 'lambada_openai',
  files: ['lambada_openai.test.jsonl'],
  source:
    '`context` and `continuation`, the text up to its last blank and the word after it, of the rows of EleutherAI/lambada_openai, test',
  metrics: BY_GREEDY,
  row: { context: text, continuation: text },
  ask: ({ context, continuation }) => ({ requests: [follow(context, continuation)], gold: 0 }),
});
