/** Formulas of the linear layers of ternary spiking weights. */
import { matrix, range, sum, type Formula, type Numbers } from './formula.ts';
import { codeAt, decode, gathered } from './spiking.ts';

interface TernaryAttributes {
  readonly weightChannels: readonly (readonly number[])[];
  readonly weightParts: number;
}

/** k[p,o,c] as [O, P, C], the sums of the trits of channels over the planes of their steps. */
function weightsOf({ weight, weightSteps }: Readonly<Record<string, Numbers>>, O: number): number[] {
  const planes = range(7).flatMap((i) => range(i + 1).map(() => gathered(weightSteps, [i + 1])));
  const owner = planes.flat();
  const k = matrix(O, weightSteps.length, () => 0);
  for (let o = 0; o < O; o++) {
    owner.forEach((c, i) => (k[o * weightSteps.length + c] += codeAt(weight, o, i, owner.length, 2) - 1));
  }
  return k;
}

const linearTernary: Formula = (operands, { N, C, O, W }, attributes: TernaryAttributes) => {
  const { x, weightSteps, weightScale, bias } = operands;
  const { weightChannels, weightParts: P } = attributes;
  const columns = sum(weightChannels[0].length, (i) => weightChannels[0][i]) / P;
  // Steps first, then groups; those that occur.
  const classes = range(7).flatMap((i) =>
    range(weightChannels.length).flatMap((g) => (weightChannels[g][i] > 0 ? [`${i + 1} in ${g}`] : [])),
  );
  const classOf = (p: number, c: number): number =>
    classes.indexOf(`${weightSteps[p * C + c]} in ${Math.floor(c / columns)}`);
  const k = weightsOf(operands, O);
  const w = matrix(O, C, (o, c) =>
    sum(P, (p) => k[(o * P + p) * C + c] * weightScale[o * W + classOf(p, c)]),
  );
  return {
    y: matrix(N, O, (n, o) => sum(C, (c) => x[n * C + c] * w[o * C + c]) + (bias?.[o] ?? 0)),
  };
};

const linearTernaryCodes: Formula = (operands, dims, attributes: TernaryAttributes, scalars) => {
  const x = decode(operands, dims, attributes as never, scalars).y;
  return linearTernary({ ...operands, x }, dims, attributes as never, scalars);
};

export const ternaryFormulas = {
  linear_ternary_codes_f32: linearTernaryCodes,
  linear_ternary_f32: linearTernary,
};
