// Installs what is compared with into a folder outside the workspace, once.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where peers and their synthetic models are kept. */
export const PEERS_FOLDER = join(process.env.XDG_CACHE_HOME || tmpdir(), 'spikellm-peers');

const LLAMA_VERSION = '3.22.1';
const ONNXRUNTIME_VERSION = '1.30.0';
const WLLAMA_VERSION = '3.13.0';
/** node-llama-cpp's binaries for the CPU; its own choice would bring over a gigabyte of CUDA and Vulkan. */
const LLAMA_PLATFORMS = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
};

/** Installs a peer where it is missing. @returns {{ folder: string, version: string } | { reason: string }} */
export function installPeer(name) {
  if (name === 'onnxruntime')
    return install(name, ONNXRUNTIME_VERSION, [`onnxruntime-node@${ONNXRUNTIME_VERSION}`]);
  if (name === 'onnxruntime-web')
    return install(name, ONNXRUNTIME_VERSION, [`onnxruntime-web@${ONNXRUNTIME_VERSION}`]);
  if (name === 'wllama') return install(name, WLLAMA_VERSION, [`@wllama/wllama@${WLLAMA_VERSION}`]);
  const machine = `${process.platform}-${process.arch}`;
  const platform = LLAMA_PLATFORMS[machine];
  if (platform === undefined) return { reason: `node-llama-cpp has no binary for ${machine}` };
  const packages = ['node-llama-cpp', `@node-llama-cpp/${platform}`].map(
    (package_) => `${package_}@${LLAMA_VERSION}`,
  );
  return install(name, LLAMA_VERSION, packages);
}

function install(name, version, packages) {
  const folder = join(PEERS_FOLDER, `${name}-${version}`);
  const done = join(folder, 'installed');
  if (existsSync(done)) return { folder, version };
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  } catch (error) {
    return { reason: error.message };
  }
  console.error(`Installing ${packages.join(' and ')} into ${folder} ...`);
  const quiet = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr, error } = spawnSync('npm', ['install', ...quiet, ...packages], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    const lines = (stderr ?? '').split('\n').filter((line) => line.startsWith('npm error'));
    return { reason: `npm install failed: ${error?.message ?? lines[0] ?? `status ${status}`}` };
  }
  writeFileSync(done, '');
  return { folder, version };
}
