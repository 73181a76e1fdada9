// The table of families in the README, from the registries.
import { ggufArchitectures } from '@spikellm/checkpoint';
import { FAMILIES } from '@spikellm/graph';

const BEGIN = '<!-- families: written by `npm run docs:families` -->';
const END = '<!-- /families -->';

/** GGUF writes names of architectures without `_`, and calls the text model of a family by the family's name. */
const isGguf = (modelType) =>
  ggufArchitectures().includes(modelType.replace(/_text$/, '').replaceAll('_', ''));

function table() {
  const header = ['family', '`model_type`', 'GGUF'];
  const rows = FAMILIES.map(({ title, modelType }) => [
    title,
    `\`${modelType}\``,
    isGguf(modelType) ? 'yes' : '-',
  ]);
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** A README with the table of today between its marks. */
export function withFamilies(readme) {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error('README.md: no marks of the table of families');
  return `${before}${BEGIN}\n\n${table()}\n\n${END}${after}`;
}
