import type { Finder } from './regex.ts';

/** A part of a text that is tokenised by itself. */
export interface Piece {
  readonly text: string;
  /** Whether it begins where the whole text does. */
  readonly first: boolean;
}

/** What becomes of the matches of a pattern; what is between them always stays. */
export const BEHAVIORS = [
  'Isolated',
  'Removed',
  'Contiguous',
  'MergedWithPrevious',
  'MergedWithNext',
] as const;
export type Behavior = (typeof BEHAVIORS)[number];

interface Part {
  readonly start: number;
  end: number;
  readonly isMatch: boolean;
}

/** Cuts a piece where a pattern matches, or with `invert` where it does not. Empty pieces are left out. */
export function splitPiece(piece: Piece, find: Finder, behavior: Behavior, invert = false): Piece[] {
  const { text, first } = piece;
  const parts = JOINS[behavior](partsOf(text, find, invert));
  return parts.flatMap(({ start, end }) =>
    start === end ? [] : [{ text: text.slice(start, end), first: first && start === 0 }],
  );
}

/** The whole text in parts, matches and what lies between. */
function partsOf(text: string, find: Finder, invert: boolean): Part[] {
  const parts: Part[] = [];
  let done = 0;
  for (const [start, end] of find(text)) {
    if (start > done) parts.push({ start: done, end: start, isMatch: invert });
    parts.push({ start, end, isMatch: !invert });
    done = end;
  }
  if (done < text.length) parts.push({ start: done, end: text.length, isMatch: invert });
  return parts;
}

const JOINS: Readonly<Record<Behavior, (parts: Part[]) => Part[]>> = {
  Isolated: (parts) => parts,
  Removed: (parts) => parts.filter(({ isMatch }) => !isMatch),
  Contiguous: (parts) => joined(parts, (before, part) => before.isMatch === part.isMatch),
  MergedWithPrevious: (parts) => joined(parts, (before, part) => part.isMatch && !before.isMatch),
  // As above from the end: of several matches in a row only the last goes with what follows.
  MergedWithNext: (parts) => joined(parts, (before, part) => before.isMatch && !part.isMatch),
};

/** Joins neighbours; whether they belong together is asked of the two parts as they were. */
function joined(parts: readonly Part[], belong: (before: Part, part: Part) => boolean): Part[] {
  const result: Part[] = [];
  parts.forEach((part, i) => {
    const before = parts[i - 1];
    if (before !== undefined && belong(before, part)) result[result.length - 1].end = part.end;
    else result.push({ ...part });
  });
  return result;
}
