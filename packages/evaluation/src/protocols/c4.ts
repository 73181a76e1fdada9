import { wrongFile, type Protocol } from './protocol.ts';

/** Documents at most, as published code takes them of the validation split. */
const MOST_DOCUMENTS = 1100;

/** C4 as GPTQ's `c4-new` reads it: the first 1,100 documents joined with a space, 256 windows of them at most. */
export const c4: Protocol = {
  name: 'c4',
  description: `\`text\` of the first ${MOST_DOCUMENTS} documents, JSON lines or a list, joined with a space`,
  unit: 'documents',
  maxWindows: 256,
  read(content, where) {
    const documents = documentsOf(content, where).slice(0, MOST_DOCUMENTS);
    const texts = documents.map((document) => (document as { readonly text?: unknown } | null)?.text);
    const bad = texts.findIndex((each) => typeof each !== 'string');
    if (texts.length === 0 || bad >= 0)
      throw wrongFile(
        where,
        'documents with `text`',
        texts.length === 0 ? 'none' : `none in document ${bad + 1}`,
      );
    return { text: texts.join(' '), parts: texts.length };
  },
};

function documentsOf(content: string, where: string): unknown[] {
  try {
    if (content.trimStart().startsWith('[')) return JSON.parse(content) as unknown[];
    return content
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    throw wrongFile(where, 'JSON lines, or a list, of documents', (error as Error).message);
  }
}
