import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { resolveModel } from '../src/index.ts';
import { expectError, temporaryFolder } from './fixtures.ts';
import { COMMIT, ONE } from './hub-answers.ts';
import { startHub, type Hub } from './hub-server.ts';

const TOKEN = 'hf_secretsecret';

describe('the token of the hub', () => {
  let hub: Hub;
  /** Another origin, that answers as the hub does. */
  let elsewhere: Hub;
  let cacheDir: string;
  beforeEach(async () => {
    [hub, elsewhere] = [await startHub(), await startHub()];
    cacheDir = await temporaryFolder();
    vi.stubEnv('HF_TOKEN', TOKEN);
  });
  afterEach(() => vi.unstubAllEnvs());
  const resolve = (options: object = {}): Promise<string> =>
    resolveModel('owner/model', { hubUrl: hub.url, cacheDir, ...options });
  const expectKept = (): void => {
    expect(new Set(hub.authorizations)).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(elsewhere.requests).not.toEqual([]);
    expect(new Set(elsewhere.authorizations)).toEqual(new Set([undefined]));
  };
  const isFile = (path: string): boolean => path.startsWith('/owner/model/resolve/');

  test('is sent to the hub with every request', async () => {
    await resolve();
    expect(new Set(hub.authorizations)).toEqual(new Set([`Bearer ${TOKEN}`]));
  });

  test('need not look as that of huggingface.co does', async () => {
    vi.stubEnv('HF_TOKEN', 'another-kind');
    await resolve();
    expect(new Set(hub.authorizations)).toEqual(new Set(['Bearer another-kind']));
  });

  test.for([undefined, ''])('is not sent where there is none: %j', async (token) => {
    vi.stubEnv('HF_TOKEN', token);
    await resolve();
    expect(new Set(hub.authorizations)).toEqual(new Set([undefined]));
  });

  test('does not follow a redirect to another origin, whatever that says it is', async () => {
    hub.before = (path, response) => {
      if (isFile(path)) response.writeHead(302, { Location: elsewhere.url + path }).end();
      return isFile(path);
    };
    elsewhere.before = (_path, response) => {
      response.setHeader('X-Cache', 'Hit from cloudfront');
      return false;
    };
    const path = await resolve();
    expect(new Uint8Array(await readFile(join(path, 'one.safetensors')))).toEqual(ONE);
    expectKept();
  });

  test('is there again where another origin leads back to the hub', async () => {
    hub.before = (path, response) => {
      if (isFile(path)) response.writeHead(307, { Location: `${elsewhere.url}/back${path}` }).end();
      return isFile(path);
    };
    elsewhere.before = (path, response) => {
      response.writeHead(302, { Location: path.replace('/back', `${hub.url}/again`) }).end();
      return true;
    };
    await expectError(resolve(), 'MISSING', /status 404/);
    expect(hub.requests.at(-1)).toContain('/again/owner/model');
    expectKept();
  });

  test('does not go where the next page of a list lies', async () => {
    hub.before = (path, response) => {
      if (!path.includes('/tree/')) return false;
      response.setHeader('Link', `<${elsewhere.url}${path}>; rel="next"`);
      response.end('[]');
      return true;
    };
    await resolve();
    expectKept();
  });

  test('follows a redirect within the hub', async () => {
    const at = `/owner/model/resolve/${COMMIT}/config.json`;
    hub.before = (path, response) => {
      const isOld = path === at && !hub.requests.some((request) => request.includes('/moved'));
      if (isOld) response.writeHead(308, { Location: '/moved' }).end();
      else if (path === '/moved') response.writeHead(302, { Location: at }).end();
      return isOld || path === '/moved';
    };
    await resolve();
    expect(hub.requests).toContain('GET /moved bytes=0-0');
    expect(new Set(hub.authorizations)).toEqual(new Set([`Bearer ${TOKEN}`]));
  });

  test('is not sent round in circles', async () => {
    hub.before = (path, response) => {
      response.writeHead(302, { Location: path }).end();
      return true;
    };
    await expectError(resolve(), 'MISSING', /expected at most 20 redirects, received more of them/);
    expect(hub.requests).toHaveLength(21);
  });

  test.for([
    ['hf_secret\nsecond', 'character 10 is U\\+000A'],
    ['hf_secret\r', 'character 10 is U\\+000D'],
    [' hf_secret', 'character 1 is U\\+0020'],
    ['hf_\u{1F511}secret', 'character 4 is U\\+1F511'],
    ['hf_secret\u007f', 'character 10 is U\\+007F'],
  ])('%j is refused in a sentence without it', async ([token, fault]) => {
    vi.stubEnv('HF_TOKEN', token);
    const error: unknown = await resolve().catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(new RegExp(`^SpikeError: HF_TOKEN: expected .*${fault}; set it again`));
    expect(String(error)).not.toContain('secret');
    expect(hub.requests).toEqual([]);
  });

  test('is not in the sentence of an error that has it', async () => {
    const fetch = () => Promise.reject(new TypeError(`cannot send Bearer ${TOKEN}`));
    await expectError(resolve({ fetch }), 'MISSING', /from the hub: cannot send Bearer <token>;/);
  });
});
