import * as v from 'valibot';
import { BY_LIKELIHOOD } from './metrics.ts';
import { defineTask, follow, text } from './task.ts';
import { withoutSpaceAround } from './text.ts';

/**
 * What a sentence is about: its end after the blank, given its beginning with each of two names in the blank. Sakaguchi et
 * al., arXiv 1907.10641.
 */
export const winogrande = defineTask({
  name: 'winogrande',
  files: ['winogrande_xl.validation.jsonl'],
  source:
    '`sentence`, `option1`, `option2` and `answer` (1 or 2) of the rows of allenai/winogrande, winogrande_xl, validation',
  metrics: BY_LIKELIHOOD,
  row: {
    sentence: v.pipe(text, v.includes('_', 'to have a blank (_)')),
    option1: text,
    option2: text,
    answer: v.picklist(['1', '2'], 'to be "1" or "2"'),
  },
  ask({ sentence, option1, option2, answer }) {
    const blank = sentence.indexOf('_');
    const end = withoutSpaceAround(sentence.slice(blank + 1));
    return {
      requests: [option1, option2].map((option) => follow(sentence.slice(0, blank) + option, end)),
      gold: Number(answer) - 1,
    };
  },
});
