// Kills quantisations with SIGKILL at random moments, resumes each, and holds its bytes against an uninterrupted one:
//   node apps/cli/scripts/killed.mjs [rounds]
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectEnd, expectSameFolders, quantize } from './runs.mjs';

const rounds = Number(process.argv[2] ?? 10);
const folder = mkdtempSync(join(tmpdir(), 'spikellm-killed-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

const whole = join(folder, 'whole');
const began = performance.now();
await expectEnd(quantize(whole), 0);
let duration = performance.now() - began;

for (let round = 1; round <= rounds;) {
  const out = join(folder, 'killed');
  const moment = Math.random() * duration;
  const run = quantize(out);
  await Promise.race([sleep(moment), run.ended]);
  run.child.kill('SIGKILL');
  if ((await run.ended).code === 'SIGKILL') {
    const state = existsSync(`${out}.partial`) ? 'unfinished' : 'not begun';
    await expectEnd(quantize(out, '--resume'), 0);
    expectSameFolders(whole, out);
    console.log(`round ${round++}: killed after ${(moment / 1000).toFixed(2)} s (${state}), same bytes`);
  } else duration = moment; // it was complete by then
  rmSync(out, { recursive: true });
}
