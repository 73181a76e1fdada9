// Publishes what npm does not have yet: the platform packages of @spikellm/backend-cpu, then all others.
//   node tooling/release/publish.mjs <binaries, see platforms.mjs>
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = join(root, 'packages', 'backend-cpu', 'package.json');
const committed = readFileSync(manifest);
const folders = mkdtempSync(join(tmpdir(), 'spikellm-platforms-'));
// A clone does not name packages that its version has not published.
process.on('exit', () => {
  writeFileSync(manifest, committed);
  rmSync(folders, { recursive: true });
});

run(
  process.execPath,
  join(root, 'tooling', 'release', 'platforms.mjs'),
  process.argv[2] ?? '',
  folders,
  manifest,
);
for (const platform of readdirSync(folders)) {
  const folder = join(folders, platform);
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const known = spawnSync('npm', ['view', `${name}@${version}`, 'version'], { encoding: 'utf8' });
  if (known.stdout.trim() !== version) run('npm', 'publish', folder);
}
run('changeset', 'publish');

function run(program, ...args) {
  const { status } = spawnSync(program, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
