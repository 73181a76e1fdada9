import { execFile } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));

/**
 * Runs a program in a folder and gives what it printed.
 *
 * @throws with the command and all of its output when it fails
 */
export async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  return (await execute(cwd, [bin, process.env.PATH].join(delimiter), program, args)).stdout;
}

/** `run` where Node is the only program to be found, so no compiler; gives both streams. */
export async function runWithNodeOnly(cwd: string, program: string, ...args: string[]): Promise<Printed> {
  return execute(cwd, dirname(process.execPath), program, args);
}

interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

async function execute(cwd: string, path: string, program: string, args: string[]): Promise<Printed> {
  const env = { ...process.env, NODE_OPTIONS: '', PATH: path };
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr });
      else reject(new Error(`${program} ${args.join(' ')}\n${`${stdout}${stderr}` || error.message}`));
    });
  });
}

/** The lines of a text that are not empty. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** Where `pnpm pack` puts the archive of a package. */
export function archiveOf(folder: string, name: string, version: string): string {
  return join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
}
