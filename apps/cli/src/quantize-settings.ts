import {
  DEFAULT_SETTINGS,
  GRANULARITIES,
  INITIAL_SCALES,
  PIPELINES,
  ROTATIONS,
  SALIENCY_METRICS,
  WEIGHT_KINDS,
  WEIGHT_UNITS,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { MAX_WEIGHT_STEPS } from '@spikellm/backend';
import { KEY_QUANTISERS } from '@spikellm/graph';
import type { Command } from 'commander';
import { numbers, oneOf, option, seeds, wholeBetween } from './options.ts';

/** The settings of a quantised model as the command line names them. */
export interface SettingsOptions {
  readonly pipeline: QuantizeSettings['pipeline'];
  readonly wbits: number;
  readonly headBits: QuantizeSettings['headBits'];
  readonly abits: number;
  readonly steps: number;
  readonly salient: number;
  readonly saliency: QuantizeSettings['saliency'];
  readonly granularity: QuantizeSettings['granularity'];
  readonly range: QuantizeSettings['range'];
  readonly kv: QuantizeSettings['key'];
  readonly mask: QuantizeSettings['mask'];
  readonly rotate: QuantizeSettings['rotate'];
  readonly seed: number;
  readonly epochs: number;
  readonly alpha: number;
  readonly initial: QuantizeSettings['training']['initialScales'];
  readonly letLr: number;
  readonly lwcLr: number;
  readonly lrSchedule: QuantizeSettings['training']['schedule'];
  readonly augLoss?: boolean;
  readonly damping: number;
  readonly actOrder: boolean;
  readonly weights: QuantizeSettings['gptq']['weights'];
  readonly weightSteps: number;
  readonly salientSteps: number;
  readonly salientWeights: number;
  readonly equalSteps?: number;
  readonly weightGroup?: number;
  readonly weightUnit: NonNullable<QuantizeSettings['gptq']['weightUnit']>;
}

const spikeBits = numbers(
  'a whole number from 2 to 8, or 16 for float',
  (value) => value === 16 || (Number.isInteger(value) && value >= 2 && value <= 8),
);
const headBits = numbers('8, or 16 for the float type of the source', (value) => value === 8 || value === 16);
const stepCounts = numbers('1, 2 or 4', (value) => [1, 2, 4].includes(value));
const shares = numbers('a number from 0 to 1', (value) => value >= 0 && value <= 1);
const pipelines = oneOf(PIPELINES);
const metrics = oneOf(SALIENCY_METRICS);
const granularities = oneOf(GRANULARITIES);
const rates = numbers('a number above 0, at most 1', (value) => value > 0 && value <= 1);
const initials = oneOf(INITIAL_SCALES);
const schedules = oneOf(['constant', 'cosine']);
const ranges = oneOf(['lossless', 'published']);
const weightKinds = oneOf(WEIGHT_KINDS);
const weightSteps = wholeBetween(1, MAX_WEIGHT_STEPS);
const weightUnits = oneOf(WEIGHT_UNITS);
const columns = numbers(
  'a whole number of columns, 1 or more',
  (value) => Number.isSafeInteger(value) && value >= 1,
);
const meanSteps = numbers('a number from 1 to 4', (value) => value >= 1 && value <= 4);
const masks = oneOf(['shared', 'own']);

/** What does not choose a method or salient channels. */
export type CommonOptions = Omit<
  SettingsOptions,
  | 'pipeline'
  | 'steps'
  | 'salient'
  | 'saliency'
  | 'granularity'
  | 'weights'
  | 'weightSteps'
  | 'salientSteps'
  | 'salientWeights'
  | 'equalSteps'
  | 'weightGroup'
  | 'weightUnit'
>;

export function withSettings(command: Command): Command {
  const { pipeline, steps, salient, saliency, granularity, gptq } = DEFAULT_SETTINGS;
  command
    .addOption(option('--pipeline <name>', 'method', pipelines).default(pipeline))
    .addOption(option('--steps <n>', 'spike steps of a salient channel', stepCounts).default(steps))
    .addOption(option('--salient <p>', 'share of salient channels', shares).default(salient))
    .addOption(option('--saliency <metric>', 'what ranks channels', metrics).default(saliency))
    .addOption(
      option('--granularity <unit>', 'what fisher gives steps to', granularities).default(granularity),
    )
    .addOption(option('--weights <kind>', 'gptq: what weights become', weightKinds).default(gptq.weights))
    .addOption(
      option('--weight-steps <n>', 'gptq: spike steps of a ternary weight', weightSteps).default(
        gptq.weightSteps,
      ),
    )
    .addOption(
      option('--salient-steps <n>', 'gptq: those of a salient weight', weightSteps).default(
        gptq.salientSteps,
      ),
    )
    .addOption(
      option(
        '--salient-weights <p>',
        'gptq: share of channels, or weights, that are salient',
        shares,
      ).default(gptq.salientWeights),
    )
    .addOption(
      option(
        '--equal-steps <s>',
        'gptq: mean steps of a ternary weight, spent where they help most',
        meanSteps,
      ),
    )
    .addOption(
      option(
        '--weight-group <n>',
        'gptq: columns of ternary weights that share scales; a row by default',
        columns,
      ),
    )
    .addOption(
      option('--weight-unit <unit>', 'gptq: what gets more ternary steps', weightUnits).default('channel'),
    );
  return withCommonSettings(command);
}

/** The settings that do not choose a method. */
export function withCommonSettings(command: Command): Command {
  const { weightBits, activationBits, range, key, mask, seed, training, gptq } = DEFAULT_SETTINGS;
  return command
    .addOption(option('--wbits <n>', 'bits of a weight', wholeBetween(2, 8)).default(weightBits))
    .addOption(
      option('--head-bits <n>', 'bits of embedding and head', headBits).default(DEFAULT_SETTINGS.headBits),
    )
    .addOption(option('--abits <n>', 'bits of a spike', spikeBits).default(activationBits))
    .addOption(option('--range <range>', 'codes of a salient channel', ranges).default(range))
    .addOption(
      option('--kv <quantiser>', 'how cached keys are quantised', oneOf(KEY_QUANTISERS)).default(key),
    )
    .addOption(option('--mask <mask>', 'salient channels per input or per linear', masks).default(mask))
    .addOption(
      option('--rotate <rotation>', 'rotate the model first', oneOf(ROTATIONS)).default(
        DEFAULT_SETTINGS.rotate,
      ),
    )
    .addOption(option('--seed <n>', 'draws the windows and the random saliency', seeds).default(seed))
    .addOption(
      option('--epochs <n>', 'omniquant: passes over the windows', wholeBetween(0, 1000)).default(
        training.epochs,
      ),
    )
    .addOption(
      option('--alpha <a>', 'omniquant: share of a channel moved into weights', shares).default(
        training.alpha,
      ),
    )
    .addOption(
      option('--initial <readers>', 'omniquant: linears that initial scales look at', initials).default(
        training.initialScales,
      ),
    )
    .addOption(
      option('--let-lr <r>', 'omniquant: learning rate of scales', rates).default(training.scaleRate),
    )
    .addOption(
      option('--lwc-lr <r>', 'omniquant: learning rate of clipping', rates).default(training.clippingRate),
    )
    .addOption(
      option('--lr-schedule <name>', 'omniquant: how rates change', schedules).default(training.schedule),
    )
    .option('--aug-loss', 'omniquant: add the distance to the float layer on spiking inputs')
    .addOption(
      option('--damping <d>', 'gptq: part of the mean of a Hessian added to its diagonal', shares).default(
        gptq.damping,
      ),
    )
    .option('--no-act-order', 'gptq: take channels as they come, not those with large inputs first');
}

export function settingsOf(options: SettingsOptions): QuantizeSettings {
  const common = commonSettingsOf(options);
  return {
    ...common,
    pipeline: options.pipeline,
    steps: options.steps,
    salient: options.salient,
    saliency: options.saliency,
    granularity: options.granularity,
    gptq: {
      ...common.gptq,
      weights: options.weights,
      weightSteps: options.weightSteps,
      salientSteps: options.salientSteps,
      salientWeights: options.salientWeights,
      ...(options.equalSteps !== undefined && { equalSteps: options.equalSteps }),
      ...(options.weightGroup !== undefined && { weightGroup: options.weightGroup }),
      ...(options.weightUnit !== 'channel' && { weightUnit: options.weightUnit }),
    },
  };
}

/** The settings of these options, and the default method. */
export const commonSettingsOf = (options: CommonOptions): QuantizeSettings => ({
  ...DEFAULT_SETTINGS,
  weightBits: options.wbits,
  headBits: options.headBits,
  activationBits: options.abits,
  range: options.range,
  key: options.kv,
  mask: options.mask,
  rotate: options.rotate,
  seed: options.seed,
  training: {
    epochs: options.epochs,
    alpha: options.alpha,
    initialScales: options.initial,
    scaleRate: options.letLr,
    clippingRate: options.lwcLr,
    schedule: options.lrSchedule,
    augmentedLoss: options.augLoss ?? false,
  },
  gptq: { ...DEFAULT_SETTINGS.gptq, damping: options.damping, actOrder: options.actOrder },
});
