/** Which layers look back on a window only. */
import * as v from 'valibot';
import { contradiction, count, flag, readFields, type Json } from './fields.ts';

/** Where config.json does not have the field; null there is no window. */
const DEFAULT_WINDOW = 4096;

/** `sliding_window`: tokens that a query looks back on, its own among them; 0 for all. Errors: INVALID_ARGUMENT. */
export function readWindow(json: Json): number {
  if (json.sliding_window === undefined) return DEFAULT_WINDOW;
  return readFields(json, { sliding_window: v.nullish(count(), null) }).sliding_window ?? 0;
}

const KINDS = ['full_attention', 'sliding_attention'];
const LAYERS = 'to be a number of layers';

/**
 * The window of each layer, 0 for all tokens: that of `layer_types` where the config has it, else of the layers from
 * `max_window_layers` on; none unless `use_sliding_window`. Errors: INVALID_ARGUMENT.
 */
export function readWindows(json: Json): (index: number) => number {
  const read = readFields(json, {
    use_sliding_window: flag,
    max_window_layers: v.nullish(
      v.pipe(
        v.number(LAYERS),
        v.check((layers) => Number.isSafeInteger(layers) && layers >= 0, LAYERS),
      ),
      28,
    ),
    layer_types: v.nullish(v.array(v.picklist(KINDS, `to be among ${KINDS.join(', ')}`), 'to be a list')),
    num_hidden_layers: count(),
  });
  const { layer_types: kinds, max_window_layers: full, num_hidden_layers: layers } = read;
  const window = read.use_sliding_window ? readWindow(json) : 0;
  if (kinds == null) return (index) => (index >= full ? window : 0);
  if (kinds.length !== layers) throw contradiction(`layer_types to name ${layers} layers`, kinds.length);
  return (index) => (kinds[index] === 'sliding_attention' ? window : 0);
}
