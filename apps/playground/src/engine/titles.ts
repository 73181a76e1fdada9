/** How settings and inputs are called. */
import type { QuantizeSettings } from '@spikellm/calibration';
import type { LinearGroup } from '@spikellm/graph';

export const PIPELINE_NAMES: Record<QuantizeSettings['pipeline'], string> = {
  rtn: 'round-to-nearest',
  smoothquant: 'SmoothQuant',
  omniquant: 'OmniQuant',
  gptq: 'GPTQ',
};

export const GROUP_NAMES: Record<LinearGroup, string> = {
  qkv: 'q, k, v',
  o: 'o',
  gate_up: 'gate, up',
  down: 'down',
};

/** Such as `round-to-nearest W4A4, T = 2 in 10 % (published)`. */
export function titleOf(settings: QuantizeSettings): string {
  const { pipeline, weightBits, activationBits, steps, salient, saliency, rotate, gptq } = settings;
  const ternary = pipeline === 'gptq' && gptq.weights === 'ternary';
  const weights = ternary ? `ternary weights of ${gptq.equalSteps} steps, A` : `W${weightBits}A`;
  const salience =
    steps === 1 || salient === 0
      ? 'T = 1'
      : `T = ${steps} in ${Number((salient * 100).toFixed(1))} % (${saliency})`;
  const rotated = rotate === 'none' ? '' : ', rotated';
  return `${PIPELINE_NAMES[pipeline]} ${weights}${activationBits}, ${salience}${rotated}`;
}
