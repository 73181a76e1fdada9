import { expect, test } from 'vitest';
import {
  encodeItem,
  findTask,
  follow,
  prepareTask,
  readItems,
  TASKS,
  type Item,
  type TaskTokenizer,
} from '../src/index.ts';
import { BY_CHARACTER, BY_GREEDY, BY_LIKELIHOOD, summarise } from '../src/tasks/metrics.ts';
import { withoutSpaceAfter } from '../src/tasks/text.ts';

const where = 'rows.jsonl';
const ask = (name: string, row: object): Item => readItems(findTask(name), JSON.stringify(row), { where })[0];
const asked = ({ requests, gold }: Item) => ({
  context: requests.map(({ context }) => context),
  continuation: requests.map(({ continuation }) => continuation),
  gold,
});

test('each task asks what lm-evaluation-harness asks', () => {
  expect(asked(ask('piqa', { goal: 'dresser', sol1: 'pin ', sol2: 'wood', label: 1 }))).toEqual({
    context: ['Question: dresser\nAnswer:', 'Question: dresser\nAnswer:'],
    continuation: [' pin ', ' wood'],
    gold: 1,
  });
  for (const name of ['arc_easy', 'arc_challenge']) {
    expect(asked(ask(name, { id: 'x', question: 'Why?', choices: ['a', 'b', 'c'], gold: 2 }))).toEqual({
      context: Array.from({ length: 3 }, () => 'Question: Why?\nAnswer:'),
      continuation: [' a', ' b', ' c'],
      gold: 2,
    });
  }
  expect(asked(ask('boolq', { passage: 'P', question: 'is it', label: 1 }))).toEqual({
    context: ['P\nQuestion: is it?\nAnswer:', 'P\nQuestion: is it?\nAnswer:'],
    continuation: [' no', ' yes'],
    gold: 1,
  });
  expect(asked(ask('hellaswag', { query: 'Sky: It', choices: ['is.', 'was.'], gold: 0 }))).toEqual({
    context: ['Sky: It', 'Sky: It'],
    continuation: [' is.', ' was.'],
    gold: 0,
  });
  const sentence = 'Ann met Bo so _ was glad. ';
  expect(asked(ask('winogrande', { sentence, option1: 'Ann', option2: 'Bo', answer: '2' }))).toEqual({
    context: ['Ann met Bo so Ann', 'Ann met Bo so Bo'],
    continuation: [' was glad.', ' was glad.'],
    gold: 1,
  });
  expect(asked(ask('lambada_openai', { context: 'I read the', continuation: 'signs' }))).toEqual({
    context: ['I read the'],
    continuation: [' signs'],
    gold: 0,
  });
});

test('lengths are code points of the choice, without the blank before it', () => {
  expect(follow('x', 'a\u{1F600}b')).toMatchObject({ length: 3 });
});

test('rows are read in the order of the file, as many as asked for', () => {
  const rows = ['a', 'b', 'c'].map((context) => JSON.stringify({ context, continuation: 'x' })).join('\n');
  const contexts = (limit?: number) =>
    readItems(findTask('lambada_openai'), `${rows}\n`, { where, limit }).map(
      ({ requests: [{ context }] }) => context,
    );
  expect(contexts()).toEqual(['a', 'b', 'c']);
  expect(contexts(2)).toEqual(['a', 'b']);
});

test.each([
  [
    'piqa',
    '{"goal":"g","sol1":"a","label":0}',
    'rows.jsonl, row 0: expected sol2 to be there, received nothing',
  ],
  ['piqa', '{"goal":"g","sol1":"a","sol2":3,"label":0}', 'row 0: expected sol2 to be a text, received 3'],
  ['piqa', '{"goal":"g","sol1":"a","sol2":"b","label":2}', 'row 0: expected label to be 0 or 1, received 2'],
  ['piqa', '[]\n', 'rows.jsonl, row 0: expected'],
  ['piqa', '{"goal":', 'rows.jsonl, row 0: expected an object in JSON'],
  ['piqa', '', 'rows.jsonl: expected rows of piqa, received none'],
  [
    'arc_easy',
    '{"question":"q","choices":["a"],"gold":1}',
    'expected the right one of 1 choices, from 0, received 1',
  ],
  ['winogrande', '{"sentence":"s","option1":"a","option2":"b","answer":"1"}', 'sentence to have a blank (_)'],
])('a row that is none of %s is one sentence (%#)', (name, text, sentence) => {
  expect(() => readItems(findTask(name), text, { where })).toThrow(sentence);
});

test('an unknown task is named with those that there are', () => {
  expect(() => findTask('piqua')).toThrow(/^task: expected piqa, arc_easy, .*received piqua\.$/);
  expect(new Set(TASKS.map(({ name }) => name)).size).toBe(7);
});

/** One id a character, after a BOS; a blank and the letter after it are one id, as in real vocabularies. */
const tokenizer: TaskTokenizer = {
  encode: (text) => [
    1,
    ...(text.match(/ ?[^ ]| /gu) ?? []).map((piece) => 100 + piece.codePointAt(piece.length - 1)!),
  ],
};
const ids = (letters: string): number[] => Array.from(letters, (letter) => 100 + letter.codePointAt(0)!);
const item = (context: string, ...choices: string[]): Item => ({
  requests: choices.map((choice) => follow(context, choice)),
  gold: 0,
});

test('context and continuation are encoded together, with BOS', () => {
  const { sequences, truncated } = encodeItem(item('ab', 'cd'), tokenizer, { contextLength: 9, where });
  expect(sequences).toEqual([{ tokens: [1, ...ids('abcd')], context: 3 }]);
  expect(truncated).toBe(false);
});

test('white space at the end of a context belongs to the continuation', () => {
  const { sequences } = encodeItem(item('ab \n', 'c'), tokenizer, { contextLength: 9, where });
  expect(sequences[0].context).toBe(3);
  expect(sequences[0].tokens).toEqual(tokenizer.encode('ab \n c'));
  expect(withoutSpaceAfter('a\u0085\u001c\u3000 ')).toBe('a');
  expect(withoutSpaceAfter('a\ufeff')).toBe('a\ufeff');
});

test('a context that does not fit loses its beginning, and its last token needs no position', () => {
  const encode = (contextLength: number) =>
    encodeItem(item('abcd', 'ef'), tokenizer, { contextLength, where });
  expect(encode(6)).toMatchObject({ truncated: false, sequences: [{ context: 5 }] });
  expect(encode(4)).toEqual({ truncated: true, sequences: [{ tokens: ids('bcdef'), context: 3 }] });
  expect(encode(2)).toMatchObject({ sequences: [{ tokens: ids('def'), context: 1 }] });
  expect(() => encode(1)).toThrow(
    'rows.jsonl, choice 0: expected a choice of 1 to 1 tokens, the context of the model, received 2.',
  );
});

test('choices and contexts without tokens are one sentence', () => {
  const options = { tokenizer: { encode: () => [] }, contextLength: 9 };
  expect(() => prepareTask(findTask('boolq'), [item('a', 'b')], options)).toThrow(
    'boolq, row 0, choice 0: expected a context of a token or more, received none.',
  );
  expect(() =>
    prepareTask(findTask('boolq'), [item('a', 'b')], { ...options, tokenizer: { encode: () => [1] } }),
  ).toThrow(
    'boolq, row 0, choice 0: expected a choice of 1 to 9 tokens, the context of the model, received 0.',
  );
});

test('the first of the largest wins, by log-likelihood and by character', () => {
  const items = [item('q', 'abcd', 'x'), item('q', 'abcd', 'x'), item('q', 'a', 'b')];
  const scores = [
    [-4, -3],
    [-1, -3],
    [-2, -2],
  ].map((logLikelihoods, index) => ({ index, logLikelihoods, greedy: [false, true] }));
  const result = summarise({ metrics: BY_CHARACTER }, items, scores);
  expect(result).toMatchObject({ acc: 2 / 3, acc_norm: 1, count: 3, acc_norm_stderr: 0 });
  // Sample variance of 0, 1, 1 is 1/3.
  expect(result.stderr).toBeCloseTo(Math.sqrt(1 / 3 / 3), 12);
  expect(result).not.toHaveProperty('perplexity');
  expect(summarise({ metrics: BY_LIKELIHOOD }, items, scores)).toMatchObject({
    acc_norm: null,
    acc_norm_stderr: null,
  });
  expect(summarise({ metrics: BY_LIKELIHOOD }, items.slice(0, 1), scores)).toMatchObject({
    acc: 0,
    stderr: null,
  });
});

test('one continuation counts where it is drawn greedily, and has a perplexity', () => {
  const items = [item('q', 'a'), item('q', 'b')];
  const scores = [true, false].map((greedy, index) => ({
    index,
    logLikelihoods: [-1 - index],
    greedy: [greedy],
  }));
  expect(summarise({ metrics: BY_GREEDY }, items, scores)).toMatchObject({
    acc: 0.5,
    acc_norm: null,
    perplexity: Math.exp(1.5),
  });
});
