import { SpikeError } from '@spikellm/backend';
import { isRecord } from '../files.ts';

/** Ids that no token has, at most: tables are as long as the largest id. */
const MAX_HOLES = 1_000_000;

/**
 * Holds the ids of a parsed tokenizer.json against the number of its tokens; what else it has is the library's to judge.
 * Errors: CORRUPT_FILE.
 */
export function checkVocabulary(path: string, { model, added_tokens: added }: Record<string, unknown>): void {
  const vocab = isRecord(model) ? model.vocab : undefined;
  const own = isRecord(vocab) ? Object.entries(vocab) : [];
  const others: unknown[] = Array.isArray(added) ? added : [];
  const size = (Array.isArray(vocab) ? vocab.length : own.length) + others.length;
  const check = (what: string, id: unknown): void => {
    if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < size + MAX_HOLES) return;
    throw new SpikeError('CORRUPT_FILE', {
      where: path,
      expected: `the id of ${what} from 0 to ${size + MAX_HOLES - 1}, as ${size} tokens need`,
      received: JSON.stringify(id) ?? 'none',
      remedy: 'copy or download the file again',
    });
  };
  for (const [token, id] of own) {
    // Where there is one vocabulary for each language, each is held against the same bound.
    if (isRecord(id)) for (const each of Object.values(id)) check('a token', each);
    else check(`token ${JSON.stringify(token)}`, id);
  }
  for (const token of others) check('an added token', isRecord(token) ? token.id : token);
}
