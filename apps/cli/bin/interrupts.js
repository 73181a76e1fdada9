// Sees Ctrl-C on a thread of its own, for the main thread may be busy and hear of no signal. Node tells no other thread of
// signals but one way: a script that may be broken by SIGINT. While it waits, it takes the place of all other handlers;
// once it is broken, SIGINT does again what it does by default.
import { writeSync } from 'node:fs';
import { Script } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';

const never = new Int32Array(new SharedArrayBuffer(4));
globalThis.waitForever = () => Atomics.wait(never, 0, 0);

try {
  new Script('waitForever()').runInThisContext({ breakOnSigint: true });
} catch (error) {
  if (error?.code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
  parentPort.postMessage('interrupted', []);
  Atomics.wait(never, 0, 0, workerData.graceMs); // the process ends meanwhile, if it can
  writeSync(2, 'Interrupted.\n');
  process.kill(process.pid, 'SIGINT');
}
