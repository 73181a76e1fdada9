import {
  choiceField,
  numberField,
  shareField,
  switchField,
  wholeField,
  type Fields,
} from '../settings/fields.ts';

export const INITIAL_SCALES = ['all', 'published'] as const;

export interface TrainingSettings {
  /** Passes over the calibration windows. */
  readonly epochs: number;
  /** Share of a channel's size that initial scales move into the weights, 0 to 1. */
  readonly alpha: number;
  /** Initial scales look at all linears that read a channel, or at one alone (q, up), as published. */
  readonly initialScales: (typeof INITIAL_SCALES)[number];
  /** Learning rate of equivalent scales. */
  readonly scaleRate: number;
  /** Learning rate of clipping factors. */
  readonly clippingRate: number;
  /** `cosine` falls to 0 over all updates of a layer. */
  readonly schedule: 'constant' | 'cosine';
  /** Adds the distance to what the float layer makes of the spiking model's own inputs. */
  readonly augmentedLoss: boolean;
}

const rateField = (flag: string, description: string, value: number) =>
  numberField(
    { flag, description, default: value },
    'a number above 0, at most 1',
    (rate) => rate > 0 && rate <= 1,
  );

/** The published W4A4 run of SpikeLLM on LLaMA (arXiv 2407.04752), but for initial scales, which miss no reader. */
export const TRAINING_FIELDS: Fields<TrainingSettings> = {
  epochs: wholeField({ flag: '--epochs <n>', description: 'passes over the windows', default: 20 }, 0, 1000),
  alpha: shareField({
    flag: '--alpha <a>',
    description: 'share of a channel moved into weights',
    default: 0.75,
  }),
  initialScales: choiceField<TrainingSettings['initialScales']>(
    { flag: '--initial <readers>', description: 'linears that initial scales look at', default: 'all' },
    INITIAL_SCALES,
  ),
  scaleRate: rateField('--let-lr <r>', 'learning rate of scales', 1e-3),
  clippingRate: rateField('--lwc-lr <r>', 'learning rate of clipping', 1e-2),
  schedule: choiceField<TrainingSettings['schedule']>(
    { flag: '--lr-schedule <name>', description: 'how rates change', default: 'constant' },
    ['constant', 'cosine'],
  ),
  augmentedLoss: switchField({
    flag: '--aug-loss',
    description: 'add the distance to the float layer on spiking inputs',
    default: false,
  }),
};
