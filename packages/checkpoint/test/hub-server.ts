import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { answerOf, REPOSITORY, type Repository } from './hub-answers.ts';

export interface Hub {
  readonly url: string;
  files: Repository;
  /** `METHOD path range` of each request. */
  readonly requests: string[];
  /** `Authorization` of each request. */
  readonly authorizations: (string | undefined)[];
  /** Called before anything is answered; true where it has answered. */
  before: ((path: string, response: ServerResponse) => boolean) | undefined;
  /** Called instead of sending a file's whole body. */
  intercept: ((path: string, response: ServerResponse, body: Uint8Array) => boolean) | undefined;
}

/** A server on the loopback that answers as the hub does for the one model `owner/model`. */
export async function startHub(): Promise<Hub> {
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const hub: Hub = {
    url: `http://127.0.0.1:${port}`,
    files: REPOSITORY,
    requests,
    authorizations,
    before: undefined,
    intercept: undefined,
  };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = new URL(request.url ?? '', hub.url).pathname;
    const { range } = request.headers;
    requests.push(`${request.method} ${path} ${range ?? ''}`.trim());
    authorizations.push(request.headers.authorization);
    if (hub.before?.(path, response) === true) return;
    const { status, headers, body, file } = answerOf(hub.files, path, range);
    response.statusCode = status;
    response.setHeaders(new Map(Object.entries(headers)));
    const isBody = file !== undefined && range !== 'bytes=0-0';
    if (isBody && hub.intercept?.(file, response, body) === true) return;
    response.end(body);
  };
  return hub;
}
