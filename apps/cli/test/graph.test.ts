/** `inspect --graph`: what a config.json means, without a tensor. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MODEL, run, scratch } from './run.ts';

/** Of the first layers attention has no window, of those from `max_window_layers` on it has one. */
const CONFIG = {
  model_type: 'qwen2',
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 5,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 31,
  max_position_embeddings: 64,
  use_sliding_window: true,
  sliding_window: 8,
  max_window_layers: 2,
};

const graphOf = async (...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run('inspect', ...argv);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};

test('layers with the same graph are said once', async () => {
  const text = await graphOf(MODEL, '--graph');
  expect(text).toContain('llama, 5 layers of 256');
  const [, embedding, layer, head, ...more] = text.trimEnd().split('\n\n');
  expect(more).toEqual([]);
  expect(embedding).toBe(
    'embedding\ninput ids\nmodel.embed_tokens [256] = embedding of 2048 rows (ids)\noutput model.embed_tokens',
  );
  expect(layer).toMatch(/^layers 0 to 4\ninput x\ninput_layernorm \[256\] = RMSNorm/);
  expect(layer).toContain('\nself_attn [256] = attention, 4 heads of 64 on 2 (');
  expect(head).toMatch(
    /^head\ninput x\n[^]*\nmodel.embed_tokens \[2048\] = head 256 -> 2048 \(model.norm\)\n/,
  );
  expect(await graphOf(MODEL, '--graph', 'text')).toBe(text);
});

test('others are said with the layers that have them; a config.json is enough', async () => {
  using folder = scratch();
  const config = folder.file('config.json', JSON.stringify(CONFIG));
  const text = await graphOf(config, '--graph');
  const titles = text
    .trimEnd()
    .split('\n\n')
    .slice(1)
    .map((part) => part.split('\n')[0]);
  expect(titles).toEqual(['embedding', 'layers 0 to 1', 'layers 2 to 4', 'head']);
  expect(text.match(/attention, .*/g)).toEqual([
    expect.not.stringContaining('window'),
    expect.stringContaining('window 8'),
  ]);
  folder.file('config.json', JSON.stringify({ ...CONFIG, max_window_layers: 4 }));
  expect(await graphOf(folder.path, '--graph')).toContain('\nlayers 0 to 3\n');
  expect(await graphOf(folder.path, '--graph')).toContain('\nlayer 4\n');
});

test('Mermaid is one flowchart whose boxes have ids of their own', async () => {
  using folder = scratch();
  const config = folder.file('config.json', JSON.stringify(CONFIG));
  const lines = (await graphOf(config, '--graph', 'mermaid')).trimEnd().split('\n');
  expect(lines.filter((line) => line.startsWith('flowchart'))).toEqual([lines[0]]);
  const titles = lines.flatMap((line) => /^ {2}subgraph "(.*)"$/.exec(line)?.slice(1) ?? []);
  expect(titles).toEqual(['embedding', 'layers 0 to 1', 'layers 2 to 4', 'head']);
  expect(lines.filter((line) => line === '  end')).toHaveLength(titles.length);
  const boxes = lines.flatMap((line) => /^ +(\w+)(?:\(\[".*"\]\)|\[".*"\])$/.exec(line)?.slice(1) ?? []);
  expect(new Set(boxes).size).toBe(boxes.length);
  const arrows = lines.flatMap((line) => {
    const [, from, to] = /^ {2}(\w+) -->\|\w+\| (\w+)$/.exec(line) ?? [];
    return from === undefined ? [] : [[from, to]];
  });
  // A flowchart line, and a line for each box, arrow and end of a box of boxes: nothing else.
  expect(lines).toHaveLength(1 + boxes.length + arrows.length + 2 * titles.length);
  expect(arrows.flat().filter((id) => !boxes.includes(id))).toEqual([]);
});

test('weights are not needed', async () => {
  using folder = scratch();
  const bare = join(folder.path, 'bare');
  mkdirSync(bare);
  copyFileSync(join(MODEL, 'config.json'), join(bare, 'config.json'));
  const [title, ...rest] = (await graphOf(bare, '--graph')).split('\n');
  expect(title).toMatch(/^.*bare: llama, 5 layers/);
  expect(rest).toEqual((await graphOf(MODEL, '--graph')).split('\n').slice(1));
});

test.each([
  [['--graph', 'svg'], '--graph: expected text or mermaid, received svg.\n'],
  [['--graph', '--json'], "option '--graph [picture]' cannot be used with option '--json'\n"],
])('inspect %j is refused', async (argv, stderr) => {
  expect(await run('inspect', MODEL, ...argv)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(stderr.trimEnd()),
  });
});

test('a model that nothing knows is named', async () => {
  using folder = scratch();
  const config = folder.file('config.json', JSON.stringify({ ...CONFIG, model_type: 'bert' }));
  const { code, stderr } = await run('inspect', config, '--graph');
  expect(code).toBe(1);
  expect(stderr).toContain('expected model_type among llama');
  const nowhere = await run('inspect', join(folder.path, 'nowhere'), '--graph');
  expect(nowhere.stderr).toContain(
    'expected a model folder, or a Hugging Face id like owner/name, received neither.',
  );
});
