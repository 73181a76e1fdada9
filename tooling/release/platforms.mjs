// Makes the packages that carry the native addon of @spikellm/backend-cpu, one a platform, and names them in its manifest:
//   node tooling/release/platforms.mjs <binaries> <out> <package.json of @spikellm/backend-cpu>
// Reads <binaries>/<platform>/spikellm_cpu.node, writes <out>/<platform>/. Versions are that of the manifest.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BINARY = 'spikellm_cpu.node';
// The names that its loader looks for.
const platforms = {
  'linux-x64': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'linux-arm64': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  'darwin-x64': { os: ['darwin'], cpu: ['x64'] },
  'win32-x64': { os: ['win32'], cpu: ['x64'] },
};

const [binaries, out, manifestPath] = process.argv.slice(2);
const missing = Object.keys(platforms).filter((platform) => !existsSync(join(binaries, platform, BINARY)));
if (missing.length > 0) {
  console.error(
    `platforms: expected ${BINARY} in a folder of ${binaries} for each platform, none for ${missing.join(', ')}.`,
  );
  process.exit(1);
}

const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
const { name, version, license, engines } = manifest;
for (const [platform, where] of Object.entries(platforms)) {
  const folder = join(out, platform);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(binaries, platform, BINARY), join(folder, BINARY));
  copyFileSync(fileURLToPath(new URL('../../LICENSE', import.meta.url)), join(folder, 'LICENSE'));
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}-${platform}\n\nThe native addon of \`${name}\` for ${platform}, which installs it where it fits.\n`,
  );
  writeJson(join(folder, 'package.json'), {
    name: `${name}-${platform}`,
    version,
    description: `The native addon of ${name} for ${platform}`,
    license,
    ...where,
    main: BINARY,
    files: [BINARY],
    engines,
    publishConfig: { access: 'public' },
  });
}
manifest.optionalDependencies = Object.fromEntries(
  Object.keys(platforms).map((platform) => [`${name}-${platform}`, version]),
);
writeJson(manifestPath, manifest);

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
