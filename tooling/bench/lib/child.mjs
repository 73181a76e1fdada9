// A side of the comparison in a process of its own, which stays warm and computes only when it is asked.
import { fork } from 'node:child_process';

/**
 * Starts a script that calls `serve`.
 *
 * @returns an object whose methods are those of the script, each returning a promise, and `stop`
 */
export function startSide(script, env = {}) {
  const child = fork(script, { env: { ...process.env, ...env }, stdio: ['ignore', 2, 2, 'ipc'] });
  let waiting;
  const fail = (message) => waiting?.reject(new Error(message));
  child.on('message', ({ result, error }) =>
    error === undefined ? waiting.resolve(result) : waiting.reject(new Error(error)),
  );
  child.on('exit', (code, signal) => fail(`${script} ended with ${signal ?? code}`));
  const call = (method, argument) =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
      if (child.connected) child.send({ method, argument });
      else fail(`${script} has ended`);
    });
  return new Proxy(
    {},
    {
      get: (_, method) => {
        if (method === 'then') return undefined;
        return method === 'stop' ? () => child.disconnect() : (argument) => call(method, argument);
      },
    },
  );
}

/** Answers requests with `methods`, one at a time, until the parent goes. */
export function serve(methods) {
  const answer = async ({ method, argument }) => {
    try {
      process.send({ result: (await methods[method](argument)) ?? null });
    } catch (error) {
      process.send({ error: error.message });
    }
  };
  process.on('message', (request) => void answer(request));
  process.on('disconnect', () => process.exit());
}
