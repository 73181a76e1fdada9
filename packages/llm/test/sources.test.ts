import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { createMemoryFiles } from '@spikellm/checkpoint';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openModel, type ModelSource } from '../src/index.ts';
import { TALES, whole } from './places.ts';

const names = readdirSync(TALES).filter((name) => /\.(json|safetensors)$/.test(name));
const blobOf = (name: string): Blob => new Blob([readFileSync(`${TALES}${name}`)]);
const fileOf = (name: string, path = ''): File =>
  Object.defineProperty(new File([blobOf(name)], name), 'webkitRelativePath', { value: path });

async function says(source: ModelSource, options = {}): Promise<string> {
  await using model = await openModel(source, options);
  return await whole(model.generate('The king said', { maxTokens: 4 }));
}

let expected: string;
let server: Server;
let address: URL;
/** Paths that the server was asked for. */
const asked: string[] = [];

beforeAll(async () => {
  expected = await says(TALES);
  server = createServer(({ url = '/' }, response) => {
    asked.push(url);
    const name = url.slice('/models/tales/'.length);
    if (names.includes(name)) response.end(readFileSync(`${TALES}${name}`));
    // As servers of single pages answer for what they have not.
    else response.setHeader('Content-Type', 'text/html').end('<!doctype html>');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  address = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tales/`);
});
afterAll(() => void server.close());

it('a web server, by URL or by text, with or without the slash at the end, and how far it is', async () => {
  const steps: { phase: string; done: number; total: number }[] = [];
  expect(await says(address, { onProgress: (step: (typeof steps)[0]) => steps.push(step) })).toBe(expected);
  const fetched = steps.filter(({ phase }) => phase === 'download');
  expect(fetched.at(-1)!.done).toBe(names.reduce((sum, name) => sum + blobOf(name).size, 0));
  expect(fetched.every(({ done, total }) => done <= total)).toBe(true);
  expect(steps.at(-1)).toEqual({ phase: 'load', done: 5, total: 5 });
  expect(await says(address.href.slice(0, -1))).toBe(expected);
});

it('a web server without the model is named', async () => {
  const nowhere = new URL('../nothing/', address);
  await expect(openModel(nowhere)).rejects.toThrow(
    `${nowhere.href}config.json: expected a file of a model, received nothing there.`,
  );
  await expect(openModel(new URL('http://127.0.0.1:1/'))).rejects.toThrow(/received no answer \(/);
});

it('all parts of a GGUF model are asked for', async () => {
  asked.length = 0;
  await expect(openModel(new URL('big-00001-of-00002.gguf', address))).rejects.toThrow('nothing there');
  expect(asked).toEqual(['/models/tales/big-00001-of-00002.gguf']);
});

it('a file: URL', async () => {
  expect(await says(pathToFileURL(TALES))).toBe(expected);
});

it('files that a visitor chose, alone or with the folder around them', async () => {
  expect(await says(names.map((name) => fileOf(name)))).toBe(expected);
  const within = names.map((name) => fileOf(name, `models/tales/${name}`));
  const other = fileOf('config.json', 'models/tales/other/config.json');
  expect(await says([other, ...within])).toBe(expected);
  await expect(openModel([fileOf('tokenizer.json')])).rejects.toThrow(/^files/);
});

it('a directory handle', async () => {
  const handle = {
    kind: 'directory',
    name: 'tales',
    async *values() {
      yield { kind: 'directory', name: 'sub' };
      for (const name of names) yield { kind: 'file', name, getFile: async () => fileOf(name) };
    },
  } as unknown as FileSystemDirectoryHandle;
  await using model = await openModel(handle);
  expect(model.name).toBe('tales');
});

it('a path in a store that is given', async () => {
  const files = createMemoryFiles(names.map((name) => [`kept/${name}`, blobOf(name)] as const));
  expect(await says('kept', { files })).toBe(expected);
});

it('a folder that is not there', async () => {
  await expect(openModel('nowhere at all')).rejects.toThrow('nowhere at all: expected a model folder');
  await expect(openModel('nowhere.gguf')).rejects.toThrow(/^nowhere\.gguf/);
});
