import type { GainMetric } from './metric.ts';

/**
 * The diagonal of the Fisher information as what an error costs: gain_j(T) = E[g_j^2] (E[(Q_1(x_j) - x_j)^2] -
 * E[(Q_T(x_j) - x_j)^2]), g = dLoss / dx.
 */
export const fisher: GainMetric = {
  name: 'fisher',
  needs: 'gradients',
  gains({ gradients, errors }) {
    const plain = errors.get(1)!;
    return new Map(
      [...errors]
        .filter(([T]) => T > 1)
        .map(([T, error]): [number, Float64Array] => [T, gradients.map((g, j) => g * (plain[j] - error[j]))]),
    );
  },
};
