import type { BaselineMethod, QuantizeSettings } from '@spikellm/calibration';
import { SpikeError } from '@spikellm/backend';

type Changes = Partial<QuantizeSettings>;

/** A row of the comparison. To add one is to add a line to {@link METHODS}. */
export interface Method {
  readonly name: string;
  /** As a table says it. */
  readonly title: string;
  /** What it changes in the settings of the command line; null for the model as it is, and for a baseline. */
  readonly settings: Changes | null;
  /** A method without a packed format, weights alone. */
  readonly baseline?: BaselineMethod;
  /** Minutes where others take seconds, so it runs when it is named. */
  readonly slow?: true;
}

const ONE_STEP = { steps: 1, salientFraction: 0 } as const;
/** The two settings of the paper's W4A4. */
const TWO_STEPS = { steps: 2, salientFraction: 0.1 } as const;
const FOUR_STEPS = { steps: 4, salientFraction: 0.05 } as const;
const ROTATED = { rotate: 'hadamard' } as const;

/** Ternary weights of so many steps in the mean against float inputs, as the baselines have them. */
const additive = (meanSteps: number): Changes => ({
  pipeline: 'gptq',
  options: { weights: 'ternary', meanSteps },
  activationBits: 16,
  ...ONE_STEP,
});
const pbLlm = (lowFraction: number, mean: 'faithful' | 'masked' = 'faithful') => ({
  settings: null,
  baseline: { name: 'pb-llm', lowFraction, mean } as const,
});

export const METHODS: readonly Method[] = [
  { name: 'float', title: 'float', settings: null },
  { name: 'rtn', title: 'round-to-nearest', settings: { pipeline: 'rtn', ...ONE_STEP } },
  { name: 'rtn-t2', title: 'round-to-nearest, T=2 in 10 %', settings: { pipeline: 'rtn', ...TWO_STEPS } },
  { name: 'rtn-t4', title: 'round-to-nearest, T=4 in 5 %', settings: { pipeline: 'rtn', ...FOUR_STEPS } },
  {
    name: 'fisher',
    title: 'round-to-nearest, fisher, T=2 in 10 %',
    settings: { pipeline: 'rtn', saliency: 'fisher', ...TWO_STEPS },
  },
  { name: 'smoothquant', title: 'SmoothQuant', settings: { pipeline: 'smoothquant', ...ONE_STEP } },
  {
    name: 'smoothquant-t2',
    title: 'SmoothQuant, T=2 in 10 %',
    settings: { pipeline: 'smoothquant', ...TWO_STEPS },
  },
  {
    name: 'smoothquant-t4',
    title: 'SmoothQuant, T=4 in 5 %',
    settings: { pipeline: 'smoothquant', ...FOUR_STEPS },
  },
  { name: 'gptq', title: 'GPTQ', settings: { pipeline: 'gptq', ...ONE_STEP } },
  { name: 'gptq-t2', title: 'GPTQ, T=2 in 10 %', settings: { pipeline: 'gptq', ...TWO_STEPS } },
  {
    name: 'gptq-fisher',
    title: 'GPTQ, fisher, T=2 in 10 %',
    settings: { pipeline: 'gptq', saliency: 'fisher', ...TWO_STEPS },
  },
  {
    name: 'ternary',
    title: 'ternary weights, three steps in 20 %, GPTQ',
    settings: { pipeline: 'gptq', options: { weights: 'ternary' }, ...TWO_STEPS },
  },
  {
    name: 'rtn-rotated',
    title: 'round-to-nearest, rotated',
    settings: { pipeline: 'rtn', ...ROTATED, ...ONE_STEP },
  },
  { name: 'gptq-rotated', title: 'GPTQ, rotated', settings: { pipeline: 'gptq', ...ROTATED, ...ONE_STEP } },
  {
    name: 'gptq-fisher-rotated',
    title: 'GPTQ, fisher, T=2 in 10 %, rotated',
    settings: { pipeline: 'gptq', saliency: 'fisher', ...ROTATED, ...TWO_STEPS },
  },
  {
    name: 'ternary-2.4',
    title: 'ternary weights, 2.4 steps, float inputs',
    settings: additive(2.4),
    slow: true,
  },
  {
    name: 'ternary-1.7',
    title: 'ternary weights, 1.7 steps, float inputs',
    settings: additive(1.7),
    slow: true,
  },
  {
    name: 'ternary-1.35',
    title: 'ternary weights, 1.35 steps, float inputs',
    settings: additive(1.35),
    slow: true,
  },
  {
    name: 'ternary-elements',
    title: 'ternary weights, three steps in 17.5 % of them, float inputs',
    settings: {
      pipeline: 'gptq',
      options: { weights: 'ternary', weightUnit: 'element', salientWeights: 0.175 },
      activationBits: 16,
      ...ONE_STEP,
    },
    slow: true,
  },
  { name: 'pb-llm-80', title: 'PB-LLM, 80 % binary, 2.4 steps', ...pbLlm(0.8) },
  { name: 'pb-llm-90', title: 'PB-LLM, 90 % binary, 1.7 steps', ...pbLlm(0.9) },
  { name: 'pb-llm-95', title: 'PB-LLM, 95 % binary, 1.35 steps', ...pbLlm(0.95) },
  { name: 'pb-llm-90-masked', title: 'PB-LLM, 90 % binary, masked mean', ...pbLlm(0.9, 'masked') },
  { name: 'awq', title: 'AWQ, 4 bits', settings: null, baseline: { name: 'awq', bits: 4 } },
  { name: 'billm', title: 'BiLLM', settings: null, baseline: { name: 'billm' }, slow: true },
  { name: 'omniquant', title: 'OmniQuant', settings: { pipeline: 'omniquant', ...ONE_STEP }, slow: true },
  {
    name: 'omniquant-t2',
    title: 'OmniQuant, T=2 in 10 % (SpikeLLM)',
    settings: { pipeline: 'omniquant', ...TWO_STEPS },
    slow: true,
  },
  {
    name: 'omniquant-t4',
    title: 'OmniQuant, T=4 in 5 % (SpikeLLM)',
    settings: { pipeline: 'omniquant', ...FOUR_STEPS },
    slow: true,
  },
];

/** Methods by their names in a list with commas, each once, in the order given. Errors: INVALID_ARGUMENT. */
export function parseMethods(text: string): Method[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  if (names.join() === 'all') return [...METHODS];
  return names.map((name) => {
    const found = METHODS.find((method) => method.name === name);
    if (found !== undefined) return found;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: '--methods',
      expected: `all, or names among ${METHODS.map((method) => method.name).join(', ')}, with commas between them`,
      received: name === '' ? 'an empty name' : name,
    });
  });
}

export const QUICK_METHODS: readonly Method[] = METHODS.filter(({ slow }) => slow === undefined);
