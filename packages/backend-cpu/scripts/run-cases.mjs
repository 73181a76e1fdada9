// Runs every conformance case against the reference backend, outside a test runner: node scripts/run-cases.mjs <addon>
import { createRequire } from 'node:module';
import { createReferenceBackend, createTableBackend, kernelNames } from '@spikellm/backend';
import { casesOfKernel } from '../../backend-conformance/dist/check.js';
import { difference, fill, run } from '../../backend-conformance/dist/run.js';
import { createDriver } from '../dist/driver.js';

const addon = createRequire(import.meta.url)(process.argv[2]);
const reference = createReferenceBackend();
for (const isa of addon.instructionSets()) {
  for (const threads of [1, 2]) {
    const report = { device: isa, features: [isa], threads };
    const backend = createTableBackend(createDriver(addon, isa, threads, report));
    let cases = 0;
    for (const one of kernelNames.flatMap(casesOfKernel)) {
      const filled = fill(one);
      const found = difference(filled, await run(backend, filled), await run(reference, filled));
      if (found !== undefined) {
        console.error(`${one.kernel}: ${one.title}: ${found}`);
        process.exitCode = 1;
      }
      cases++;
    }
    backend.dispose();
    console.log(`${isa} on ${threads}: ${cases} cases`);
  }
}
