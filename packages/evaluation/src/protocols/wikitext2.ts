import { wrongFile, type Protocol } from './protocol.ts';

/**
 * WikiText-2 raw as GPTQ, OmniQuant and SpikeLLM read it: the rows of the data set joined with two line feeds. In the file of
 * the archive a row is a line; one that holds a space only is an empty row, and the others keep their line feed.
 */
export const wikitext2: Protocol = {
  name: 'wikitext2',
  description:
    'rows of the archive, blank ones empty, the others with their line feed, joined with two line feeds',
  unit: 'rows',
  read(content, where) {
    const rows = content.split(/(?<=\n)/).map((row) => (row === ' \n' ? '' : row));
    if (rows.length < 2) throw wrongFile(where, 'the raw file of WikiText-2, a row a line', 'a single line');
    return { text: rows.join('\n\n'), parts: rows.length };
  },
};
