// Runs every conformance case against the reference backend, outside a test runner:
//   node scripts/run-cases.mjs <addon> [instruction sets that the machine must have, as a,b,c]
import { createRequire } from 'node:module';
import { createReferenceBackend, createTableBackend, kernelNames } from '@spikellm/backend';
import { casesOfKernel } from '../../backend-conformance/dist/check.js';
import { difference, fill, run } from '../../backend-conformance/dist/run.js';
import { createNativeDriver } from '../../native-kernels/dist/index.js';
import { openDevice } from '../dist/device.js';

const addon = createRequire(import.meta.url)(process.argv[2]);
const found = addon.instructionSets();
const expected = process.argv[3] ?? found.join();
if (found.join() !== expected) fail(`expected the instruction sets ${expected}, found ${found.join()}`);

const reference = createReferenceBackend();
const cases = [];
for (const one of kernelNames.flatMap(casesOfKernel)) {
  const filled = fill(one);
  cases.push({ ...one, filled, right: await run(reference, filled) });
}
for (const isa of found) {
  for (const threads of [1, 2]) {
    const report = { device: isa, features: [isa], threads };
    const backend = createTableBackend(createNativeDriver('cpu', openDevice(addon, isa, threads), report));
    const ready = cases.filter(({ kernel }) => backend.supports(kernel));
    for (const { kernel, title, filled, right } of ready) {
      const wrong = difference(filled, await run(backend, filled), right);
      if (wrong !== undefined) fail(`${kernel}: ${title}: ${wrong}`);
    }
    const missing = kernelNames.filter((kernel) => !backend.supports(kernel));
    const without = missing.length === 0 ? '' : `, none of ${missing.join(', ')}, which it lacks`;
    console.log(`${isa} on ${threads}: ${ready.length} cases${without}`);
    backend.dispose();
  }
}

function fail(sentence) {
  console.error(sentence);
  process.exitCode = 1;
}
