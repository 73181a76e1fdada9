/** What each package may import, by the short names of the drawing (`backend`, not `@spikellm/backend`). */
export type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Parses the lines `a <- b, c` ("b and c may import a") of the block fenced as `arrows` in a Markdown text.
 *
 * @throws when there is no such block or a line of it is not an arrow
 */
export function parseArrows(markdown: string): Arrows {
  const block = /^```arrows\n([\s\S]*?)^```$/m.exec(markdown)?.[1];
  if (block === undefined) throw new Error('expected a block fenced as ```arrows');
  const arrows = new Map<string, Set<string>>();
  for (const line of block.split('\n').filter((text) => text.trim() !== '')) {
    const [, imported, importers] = /^([\w-]+) <- ([\w-]+(?:, [\w-]+)*)$/.exec(line.trim()) ?? [];
    if (imported === undefined || importers === undefined) throw new Error(`not an arrow: ${line}`);
    for (const importer of importers.split(', ')) {
      arrows.set(importer, (arrows.get(importer) ?? new Set()).add(imported));
    }
  }
  return arrows;
}
