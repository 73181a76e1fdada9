import type { Architecture } from './architectures.ts';
import { corrupt, mismatch, unsupported } from './errors.ts';
import { sizeOf, type RowOrder, type TensorView } from './file.ts';
import type { GgufTensor } from './header.ts';
import { ROPE_TENSORS } from './rope.ts';

const GLOBALS: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
};

/** `blk.<layer>.<part>[_exps|.<expert>].weight` or `.bias`; without a layer for the others. */
const NAME = /^(?:blk\.(\d+)\.)?([a-z0-9_]+?)(_exps)?(?:\.(\d+))?\.(weight|bias)$/;

/** How many heads the rows of a layer's parts belong to. */
type HeadsOf = Readonly<Record<string, number>>;

/**
 * A stored tensor under the names that Hugging Face has for it: one, or one for each expert; none where the config has
 * taken up what it says.
 * Errors: UNSUPPORTED (a tensor that the architecture has no name for), CORRUPT_FILE.
 */
export function viewsOf(
  path: string,
  stored: GgufTensor,
  architecture: Architecture,
  headsOf: HeadsOf,
): [name: string, view: TensorView][] {
  if (ROPE_TENSORS.includes(stored.name)) return [];
  const where = `${path}: tensor ${stored.name}`;
  const [, layer, part = '', stack, expert, kind] = NAME.exec(stored.name) ?? [];
  const isOfExperts = stack !== undefined || expert !== undefined;
  const names = layer === undefined ? GLOBALS : isOfExperts ? architecture.experts : architecture.layer;
  const own = names !== undefined && Object.hasOwn(names, part) ? names[part] : undefined;
  if (own === undefined || (layer === undefined && isOfExperts)) {
    const expected = 'only tensors that the architecture is known to have';
    throw unsupported(where, expected, 'another', 'this variant of the architecture cannot be read yet');
  }
  const prefix = layer === undefined ? '' : `model.layers.${Number(layer)}.`;
  const name = `${prefix}${own}.${kind}`;
  if (stack !== undefined) return expertsOf(where, stored, name);
  if (expert !== undefined) return [[name.replace('#', String(Number(expert))), wholeOf(stored)]];
  const view = wholeOf(stored);
  if (architecture.addsToNorms === true && part.endsWith('norm')) return [[name, { ...view, added: 1 }]];
  const heads = architecture.pairsRows === true ? headsOf[part] : undefined;
  return [[name, heads === undefined ? view : { ...view, order: pairedRows(where, stored, heads) }]];
}

const wholeOf = (stored: GgufTensor): TensorView => ({ stored, shape: stored.shape, first: 0 });

/** Several times as many as any model has in a layer. */
const MAX_EXPERTS = 4096;

/** One view for each matrix of a stack. */
function expertsOf(where: string, stored: GgufTensor, name: string): [string, TensorView][] {
  const [experts, ...shape] = stored.shape;
  if (shape.length !== 2 || experts > MAX_EXPERTS) {
    throw corrupt(where, `a stack of at most ${MAX_EXPERTS} matrices`, `shape [${stored.shape.join(', ')}]`);
  }
  return Array.from({ length: experts }, (_, i) => [
    name.replace('#', String(i)),
    { stored, shape, first: i * sizeOf(shape) },
  ]);
}

/**
 * Rows of a head of D that lie as D/2 pairs (j, j + D/2), to be put back as two halves.
 *
 * @param heads of the rows, each with D of them
 */
function pairedRows(where: string, { shape, type }: GgufTensor, heads: number): RowOrder {
  const [rows, length = 1] = shape;
  const half = rows / heads / 2;
  if (!Number.isSafeInteger(half) || length % type.values !== 0) {
    throw mismatch(
      where,
      `rows of ${heads} heads of an even size, in whole blocks`,
      `${rows} rows of ${length} in ${type.name}`,
      'the metadata and the tensors are of different models: convert it again',
    );
  }
  return {
    length,
    placeOf(row) {
      const inHead = row % (2 * half);
      return row - inHead + (inHead % 2) * half + Math.floor(inHead / 2);
    },
  };
}
