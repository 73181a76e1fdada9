/** Which layers look back on a window only. */
import * as v from 'valibot';
import { contradiction, count, flag, readFields, type Json } from './fields.ts';

/** The kinds of layers that `layer_types` names. */
export const LAYER_KINDS = ['full_attention', 'sliding_attention'] as const;
export type LayerKind = (typeof LAYER_KINDS)[number];

/** Where config.json does not have the field; null there is no window. */
const DEFAULT_WINDOW = 4096;

/** `sliding_window`: tokens that a query looks back on, its own among them; 0 for all. Errors: INVALID_ARGUMENT. */
export function readWindow(json: Json): number {
  if (json.sliding_window === undefined) return DEFAULT_WINDOW;
  return readFields(json, { sliding_window: v.nullish(count(), null) }).sliding_window ?? 0;
}

/**
 * The kind of each layer: that of `layer_types` where the config has it, else what `slides` says.
 * Errors: INVALID_ARGUMENT.
 */
export function readLayerKinds(json: Json, slides: (index: number) => boolean): (index: number) => LayerKind {
  const { layer_types: kinds, num_hidden_layers: layers } = readFields(json, {
    layer_types: v.nullish(
      v.array(v.picklist(LAYER_KINDS, `to be among ${LAYER_KINDS.join(', ')}`), 'to be a list'),
    ),
    num_hidden_layers: count(),
  });
  if (kinds == null) return (index) => (slides(index) ? 'sliding_attention' : 'full_attention');
  if (kinds.length !== layers) throw contradiction(`layer_types to name ${layers} layers`, kinds.length);
  return (index) => kinds[index];
}

const LAYERS = 'to be a number of layers';

/** Where `layer_types` does not say it, layers slide from `max_window_layers` on. Errors: INVALID_ARGUMENT. */
export function readFullLayers(json: Json): (index: number) => boolean {
  const { max_window_layers: full } = readFields(json, {
    max_window_layers: v.nullish(
      v.pipe(
        v.number(LAYERS),
        v.check((layers) => Number.isSafeInteger(layers) && layers >= 0, LAYERS),
      ),
      28,
    ),
  });
  return (index) => index >= full;
}

/**
 * The window of each layer, 0 for all tokens, by its kind; none unless `use_sliding_window`. Errors: INVALID_ARGUMENT.
 *
 * @param slides - whether a layer has the window, where `layer_types` does not say it
 */
export function readWindows(json: Json, slides = readFullLayers(json)): (index: number) => number {
  const { use_sliding_window: used } = readFields(json, { use_sliding_window: flag });
  const window = used ? readWindow(json) : 0;
  const kindOf = readLayerKinds(json, slides);
  return (index) => (kindOf(index) === 'sliding_attention' ? window : 0);
}
