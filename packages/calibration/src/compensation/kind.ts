import type { WeightRows, WeightSettings } from '@spikellm/graph';
import type { WeightMethod } from './layer.ts';
import type { GptqSettings } from './settings.ts';

/** What weights become by GPTQ: one file each. */
export interface CompensatedKind {
  /** `weights` of quantization_config, where it is not whole numbers of the settings' bits. */
  settings(own: GptqSettings): WeightSettings | undefined;
  /** Undefined where nothing is to be done. @param bits - of a whole number; 16 leaves weights in float */
  method(bits: number, own: GptqSettings): WeightMethod | undefined;
  /** Errors: INVALID_ARGUMENT for settings that do not go together. */
  check(own: GptqSettings): void;
  /** Bytes of the rows of a linear as they are written, where they are not plain whole numbers. */
  rowBytes(rows: WeightRows, own: GptqSettings): number | undefined;
}
