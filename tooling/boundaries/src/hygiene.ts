import { execFileSync } from 'node:child_process';
import { root, type Manifest, type Source } from './workspace.ts';

const asked = 300;
const refused = 500;

/** Sources above the asked and above the refused number of lines; files marked `@generated` are not looked at. */
export function longSources(sources: readonly Source[]): { long: string[]; tooLong: string[] } {
  const counted = sources
    .filter(({ text }) => !text.includes('@generated'))
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > asked);
  const show = ({ path, lines }: { path: string; lines: number }): string => `${path}: ${lines} lines`;
  return {
    long: counted.filter(({ lines }) => lines <= refused).map(show),
    tooLong: counted.filter(({ lines }) => lines > refused).map(show),
  };
}

/** Every file in the repository that git does not ignore; undefined where there is no git. */
export function repositoryFiles(): string[] | undefined {
  try {
    const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const output = execFileSync('git', list, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return output.split('\0').filter((path) => path !== '');
  } catch {
    return undefined;
  }
}

/** Absolute paths of somebody's machine and host names of package registries in a text, one sentence each. */
export function foreignNames(path: string, text: string): string[] {
  const machinePath = /(?<![\w.:/])\/(?:work|root|tmp|home|Users)\/[\w./-]*/g;
  const registryHost =
    /\b(?:registry\.[\w-]+\.(?:org|com|net|io|dev|cn)\b|[\w.-]*(?:artifactory|jfrog|npmmirror)[\w-]*\.\w[\w.-]*)/g;
  return [...text.matchAll(machinePath), ...text.matchAll(registryHost)].map(
    ([name]) => `${path} names ${name}`,
  );
}

/** What a published package's manifest lacks. */
export function manifestFaults(folder: string, manifest: Manifest, nodeRange: string): string[] {
  const { description, license, type, exports = {}, files = [], engines, publishConfig } = manifest;
  const conditional = Object.values(exports).filter((target) => typeof target === 'object');
  const faults: [boolean, string][] = [
    [!description, 'a description'],
    [!/^Apache-2\.0( AND |$)/.test(license ?? ''), 'license Apache-2.0'],
    [type !== 'module', 'type module'],
    [Object.keys(exports).length === 0, 'exports'],
    [
      !conditional.every((target) => target !== null && Object.keys(target)[0] === 'types'),
      'types first in exports',
    ],
    [!files.includes('dist'), 'dist in files'],
    [engines?.node !== nodeRange, `engines.node ${nodeRange}`],
    [publishConfig?.access !== 'public', 'publishConfig.access public'],
  ];
  return faults.filter(([lacks]) => lacks).map(([, what]) => `${folder}/package.json lacks ${what}`);
}

/** What a package's README lacks: its name as the title, a sentence that says what it is, and an example. */
export function readmeFaults(folder: string, name: string, text: string): string[] {
  const [title, , sentence = ''] = text.split('\n');
  const faults: [boolean, string][] = [
    [title !== `# ${name}`, `the title "# ${name}"`],
    [!/^\w/.test(sentence), 'a sentence below the title'],
    [!/^```\w+\n[\s\S]+?^```$/m.test(text), 'an example'],
  ];
  return faults.filter(([lacks]) => lacks).map(([, what]) => `${folder}/README.md lacks ${what}`);
}
