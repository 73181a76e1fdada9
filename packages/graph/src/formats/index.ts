/** All weight formats. To add one is to add its file and its line. */
import { SpikeError, shown } from '@spikellm/backend';
import type { FormatKind, WeightFormat } from './format.ts';
import { floatFormat, floatKind, type FloatSettings } from './float.ts';
import { integerFormat, integerKind, type IntegerSettings } from './integer.ts';
import { ternaryKind, type TernarySettings } from './ternary.ts';

/** `weights` of quantization_config. */
export type WeightSettings = FloatSettings | IntegerSettings | TernarySettings;

/** Each takes the settings of its own kind. */
const FORMATS = [integerKind, floatKind, ternaryKind] as unknown as readonly FormatKind<WeightSettings>[];

/** The kind of these settings. Errors: INVALID_ARGUMENT where there is none. */
export function formatKind(
  settings: { readonly kind?: unknown } | null | undefined,
): FormatKind<WeightSettings> {
  const wanted = settings?.kind;
  const found = FORMATS.find(({ kind }) => kind === wanted);
  if (found !== undefined) return found;
  const names = FORMATS.flatMap(({ kind }) => (kind === undefined ? [] : [`'${kind}'`]));
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'config.json, quantization_config',
    expected: `weights.kind ${names.join(', ')} or none`,
    received: shown(wanted),
  });
}

/** The format of the linears of a model: float where it does not spike. */
export const weightFormat = (spiking: { readonly weights: WeightSettings } | undefined): WeightFormat =>
  spiking === undefined ? floatFormat : formatKind(spiking.weights).create(spiking.weights);

/** The format of embedding and head. */
export const tableFormat = (
  spiking: { readonly embeddings?: { readonly bits: number } } | undefined,
): WeightFormat => (spiking?.embeddings === undefined ? floatFormat : integerFormat(spiking.embeddings.bits));
