/** What weights become, as values. To add one is to add its file, its line, and its name in `WEIGHT_KINDS`. */
import { integerKind } from './integer.ts';
import type { CompensatedKind } from './kind.ts';
import type { GptqSettings } from './settings.ts';
import { ternaryKind } from './ternary.ts';

const KINDS: Readonly<Record<GptqSettings['weights'], CompensatedKind>> = {
  integer: integerKind,
  ternary: ternaryKind,
};

export const kindOf = ({ weights }: GptqSettings): CompensatedKind => KINDS[weights];
