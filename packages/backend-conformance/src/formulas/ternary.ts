/** Formulas of the linear layers of ternary spiking weights. */
import { matrix, range, sum, type Formula, type Numbers } from './formula.ts';
import { codeAt, decode, gathered } from './spiking.ts';

interface TernaryAttributes {
  readonly weightChannels: readonly number[];
}

/** k[o,c], the sum of the trits of channel c over the planes of its class. */
function weightsOf(
  { weight, weightSteps }: Readonly<Record<string, Numbers>>,
  O: number,
  channels: readonly number[],
): number[] {
  const classes = range(channels.length).map((i) => i + 1);
  const planes = classes.flatMap((T) => range(T).map(() => gathered(weightSteps, [T])));
  const owner = planes.flat();
  const k = matrix(O, weightSteps.length, () => 0);
  for (let o = 0; o < O; o++) {
    owner.forEach((c, i) => (k[o * weightSteps.length + c] += codeAt(weight, o, i, owner.length, 2) - 1));
  }
  return k;
}

const linearTernary: Formula = (operands, { N, C, O, W }, { weightChannels }: TernaryAttributes) => {
  const { x, weightSteps, weightScale, bias } = operands;
  const classes = range(weightChannels.length + 1).filter((T) => weightChannels[T - 1] > 0);
  const k = weightsOf(operands, O, weightChannels);
  const w = matrix(O, C, (o, c) => k[o * C + c] * weightScale[o * W + classes.indexOf(weightSteps[c])]);
  return {
    y: matrix(N, O, (n, o) => sum(C, (c) => x[n * C + c] * w[o * C + c]) + (bias?.[o] ?? 0)),
  };
};

const linearTernaryCodes: Formula = (operands, letters, attributes: TernaryAttributes, scalars) => {
  const x = decode(operands, letters, attributes as never, scalars).y;
  return linearTernary({ ...operands, x }, letters, attributes as never, scalars);
};

export const ternaryFormulas = {
  linear_ternary_codes_f32: linearTernaryCodes,
  linear_ternary_f32: linearTernary,
};
