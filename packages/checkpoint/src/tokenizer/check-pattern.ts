import { RegExpParser, type AST } from '@eslint-community/regexpp';
import { SpikeError } from '@spikellm/backend';

/** In how many ways a pattern can match from one place of a text of n characters: at most factor n^degree. */
interface Ways {
  readonly degree: number;
  readonly factor: number;
}

/** What the patterns of known tokenizers stay far below. */
const MOST: Ways = { degree: 2, factor: 10_000 };
const MAX_LENGTH = 10_000;

const ONE: Ways = { degree: 0, factor: 1 };
const product = (a: Ways, b: Ways): Ways => ({ degree: a.degree + b.degree, factor: a.factor * b.factor });
const sum = (a: Ways, b: Ways): Ways => ({
  degree: Math.max(a.degree, b.degree),
  factor: a.factor + b.factor,
});

/**
 * Refuses a regular expression that may take for ever: engines try every way to match before they give up, and
 * `(a|aa)+$` has 2^n of them. Held to be safe is what repeats single characters, or groups that match in one way only; then
 * the ways are counted, as if no two characters could be told apart.
 *
 * No library judges this well: of those at hand one looks at nested repetitions only and lets `(a|aa)+$` pass, one refuses
 * the pattern of LLaMA 3, and one takes seconds and three megabytes for it.
 *
 * Errors: UNSUPPORTED.
 */
export function checkPattern(path: string, { source, flags }: RegExp): void {
  const refuse = (expected: string, received: string): never => {
    throw new SpikeError('UNSUPPORTED', {
      where: `${path}: regular expression ${source.slice(0, 100)}`,
      expected,
      received,
      remedy: 'it could take for ever on a short text, so use the tokenizer of another model',
    });
  };
  if (source.length > MAX_LENGTH) {
    refuse(`at most ${MAX_LENGTH} characters`, String(source.length));
  }
  const tree = new RegExpParser().parsePattern(source, 0, source.length, {
    unicode: !flags.includes('v'),
    unicodeSets: flags.includes('v'),
  });
  const { degree, factor } = waysOf(tree.alternatives, (raw) =>
    refuse('repeated groups of which a text can match in one way only', raw),
  );
  if (degree <= MOST.degree && factor <= MOST.factor) return;
  refuse(
    `at most ${MOST.degree} open repetitions one after another and ${MOST.factor} combinations of choices`,
    `${degree} and ${factor}`,
  );
}

function waysOf(alternatives: readonly AST.Alternative[], refuse: (raw: string) => never): Ways {
  const ways = (element: AST.Element): Ways => {
    if (element.type === 'Quantifier') return repeated(element);
    if (element.type === 'Group' || element.type === 'CapturingGroup' || isLookaround(element))
      return waysOf(element.alternatives, refuse);
    return ONE;
  };
  const repeated = ({ min, max, element, raw }: AST.Quantifier): Ways => {
    if (max <= 1) return sum(ways(element), min === max ? { degree: 0, factor: 0 } : ONE);
    if (lengthOf(element) === undefined) return refuse(raw);
    if (max === Infinity) return { degree: 1, factor: 1 };
    return { degree: 0, factor: max - min + 1 };
  };
  return alternatives
    .map(({ elements }) => elements.map(ways).reduce(product, ONE))
    .reduce(sum, { degree: 0, factor: 0 });
}

const isLookaround = (element: AST.Element): element is AST.LookaroundAssertion =>
  element.type === 'Assertion' && (element.kind === 'lookahead' || element.kind === 'lookbehind');

/**
 * Characters that an element matches, where it can only match in one way and matches some: its repetitions then stand at
 * one place each.
 */
function lengthOf(element: AST.Element): number | undefined {
  switch (element.type) {
    case 'Character':
    case 'CharacterSet':
    case 'CharacterClass':
    case 'ExpressionCharacterClass':
      return 1;
    case 'Quantifier': {
      const length = element.min === element.max ? lengthOf(element.element) : undefined;
      return length === undefined || element.min === 0 ? undefined : length * element.min;
    }
    case 'Group':
    case 'CapturingGroup': {
      const [first, ...others] = element.alternatives;
      const parts = first.elements.filter((part) => !isClassLookaround(part)).map(lengthOf);
      if (others.length > 0 || parts.length === 0 || parts.includes(undefined)) return undefined;
      return parts.reduce<number>((total, length) => total + length!, 0);
    }
    default:
      return undefined;
  }
}

/** A look at the next character only. */
const isClassLookaround = (element: AST.Element): boolean =>
  isLookaround(element) &&
  element.alternatives.every(({ elements }) =>
    elements.every((part) => /^(Expression)?Character/.test(part.type)),
  );
