// Installs and builds what is not installed and built yet, then runs a command of the workspace:
//   node tooling/setup.mjs [command [argument...]]
// Plain JavaScript without dependencies: on a fresh clone nothing else can run.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { engines, packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const bin = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, TURBO_TELEMETRY_DISABLED: '1' };

checkNode();
if (!installed()) {
  console.error('Installing dependencies ...');
  quiet('npx', ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only']);
}
quiet('npx', ['--yes', packageManager, 'exec', 'turbo', 'run', 'build', '--no-update-notifier']);
const [command, ...args] = process.argv.slice(2);
if (command !== undefined)
  process.exitCode = statusOf(spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }));

function checkNode() {
  const numbers = (text) => text.match(/\d+/g).map(Number);
  const [major, minor] = numbers(engines.node);
  const [ownMajor, ownMinor] = numbers(process.versions.node);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  console.error(
    `SpikeLLM needs Node ${engines.node}, this is ${process.version}: install a newer Node and run this again.`,
  );
  process.exit(1);
}

/** pnpm keeps a copy of the lockfile it installed from. */
function installed() {
  try {
    const copy = readFileSync(join(root, 'node_modules', '.pnpm', 'lock.yaml'));
    return copy.equals(readFileSync(join(root, 'pnpm-lock.yaml')));
  } catch {
    return false;
  }
}

/** Runs a step and shows its output only if it fails. */
function quiet(program, programArgs) {
  const result = spawnSync(program, programArgs, { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const status = statusOf(result);
  if (status === 0) return;
  process.stderr.write(`${result.stdout}${result.stderr}\n`);
  console.error(`Failed: ${program} ${programArgs.join(' ')}`);
  process.exit(status);
}

function statusOf({ status, signal, error }) {
  if (error) console.error(error.message);
  return status ?? (signal === 'SIGINT' ? 130 : 1);
}
