import { BY_CHARACTER } from './metrics.ts';
import { defineTask, follow, index, text, texts, type Task } from './task.ts';

/** Questions of school science, three to five choices. Clark et al., arXiv 1803.05457. */
export const arc = (name: string, subset: string): Task =>
  defineTask({
    name,
    files: [`${name}.test.jsonl`],
    source: `\`question\`, \`choices\` (their texts) and \`gold\` (the index of answerKey) of the rows of allenai/ai2_arc, ${subset}, test`,
    metrics: BY_CHARACTER,
    row: { question: text, choices: texts, gold: index },
    ask: ({ question, choices, gold }) => ({
      requests: choices.map((choice) => follow(`Question: ${question}\nAnswer:`, choice)),
      gold,
    }),
  });
