import * as v from 'valibot';
import { buildPart, FLAG, kind, notDone, OFFSETS, type Kinds } from './parts.ts';

/** Ids around those of a text. */
export interface Frame {
  readonly before: readonly number[];
  readonly behind: readonly number[];
}

export const NO_FRAME: Frame = { before: [], behind: [] };

const SEQUENCE = v.strictObject({ Sequence: v.strictObject({ id: v.string(), type_id: v.number() }) });
const SPECIAL = v.strictObject({ SpecialToken: v.strictObject({ id: v.string(), type_id: v.number() }) });
const PIECES = v.array(v.union([SEQUENCE, SPECIAL]));
const TOKENS = v.record(
  v.string(),
  v.strictObject({ id: v.string(), ids: v.array(v.number()), tokens: v.array(v.string()) }),
);
const TOKEN = v.strictTuple([v.string(), v.number()]);
const around = kind(
  { sep: TOKEN, cls: TOKEN, add_prefix_space: FLAG, ...OFFSETS },
  ({ sep, cls }): Frame => ({
    before: [cls[1]],
    behind: [sep[1]],
  }),
);

/** What is put around a text. Source: tokenizers/src/processors of the Rust library. */
export const POST_PROCESSORS: Kinds<Frame> = {
  ByteLevel: kind({ add_prefix_space: FLAG, use_regex: FLAG, ...OFFSETS }, () => NO_FRAME),
  BertProcessing: around,
  RobertaProcessing: around,
  TemplateProcessing: kind(
    { single: PIECES, pair: v.unknown(), special_tokens: TOKENS },
    ({ single, special_tokens: tokens }, place) => {
      const at = single.findIndex((piece) => 'Sequence' in piece);
      const others = single.filter((piece) => 'SpecialToken' in piece);
      if (at < 0 || others.length !== single.length - 1)
        throw notDone(place, 'single: a template with one sequence', JSON.stringify(single));
      const ids = (pieces: typeof single): number[] =>
        pieces.flatMap((piece) => {
          if (!('SpecialToken' in piece)) return [];
          const { id } = piece.SpecialToken;
          if (Object.hasOwn(tokens, id)) return tokens[id].ids;
          throw notDone(place, 'special_tokens: those of the template', id);
        });
      return { before: ids(single.slice(0, at)), behind: ids(single.slice(at + 1)) };
    },
  ),
  Sequence: kind({ processors: v.array(v.unknown()) }, ({ processors }, place) =>
    processors
      .map((each) => buildPart(place, POST_PROCESSORS, each))
      .reduce<Frame>(
        (inner, outer) => ({
          before: [...outer.before, ...inner.before],
          behind: [...inner.behind, ...outer.behind],
        }),
        NO_FRAME,
      ),
  ),
};
