// Quantises onto disks that are too small, makes room, resumes, and holds the bytes against those of a run that had room:
//   sudo node apps/cli/scripts/full-disk.mjs
// Mounts a tmpfs, so it needs Linux and root.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectEnd, expectSameFolders, quantize } from './runs.mjs';

const folder = mkdtempSync(join(tmpdir(), 'spikellm-full-'));
const disk = join(folder, 'disk');
const mount = (options) => {
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`mount -o ${options}: ${stderr}`);
};
const unmount = () => spawnSync('umount', [disk]);
process.on('exit', () => {
  unmount();
  rmSync(folder, { recursive: true });
});

const whole = join(folder, 'whole');
await expectEnd(quantize(whole), 0);
mkdirSync(disk);
for (const kilobytes of [16, 300, 2000, 2850, 3000]) {
  mount(`size=${kilobytes}k`);
  const out = join(disk, 'out');
  const stderr = await expectEnd(quantize(out), 1);
  const said = stderr.trimEnd().split('\n').at(-1);
  if (!said.includes('expected room on the disk, received a full disk')) throw new Error(said);
  mount('remount,size=64m');
  await expectEnd(quantize(out, '--resume'), 0);
  cpSync(out, join(folder, 'out'), { recursive: true });
  expectSameFolders(whole, join(folder, 'out'));
  rmSync(join(folder, 'out'), { recursive: true });
  unmount();
  console.log(`${kilobytes} kB: ${said.replace(disk, '')}\n  resumed after room was made, same bytes`);
}
