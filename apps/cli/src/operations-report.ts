import {
  SIMULATION_NOTE,
  type AttentionOperations,
  type LayerOperationReport,
  type LinearOperationReport,
  type OperationReport,
} from '@spikellm/evaluation';
import { bytes, joules, operations, table } from './format.ts';
import { print, type Session } from './session.ts';

const HEAD = [
  'layer',
  'firing rate',
  'MACs',
  'products',
  'skipped',
  'additions',
  'ACE',
  'weights',
  'arithmetic',
];

/** What a token costs, layer by layer. */
export function showOperations(session: Session, report: OperationReport): void {
  const { linears, transforms, layers, total, uncounted, energyTable } = report;
  print(session, `\nper token, the linears of all layers; ${widths(linears)}:`);
  print(
    session,
    table(HEAD, [...layers.map((layer, index) => row(String(index), layer)), row('all', total)]),
  );
  const { head, attention } = uncounted;
  print(session, `not counted  head ${operations(head)} MACs, attention ${attentionOf(attention)}`);
  if (transforms.length > 0) {
    const macs = transforms.reduce((sum, transform) => sum + transform.macs, 0);
    print(session, `of these     ${operations(macs)} MACs of rotations, floats of 16 bits`);
  }
  const { weightBytes, activationBytes, energy } = total;
  print(session, `bytes moved  weights ${bytes(weightBytes)}, activations ${bytes(activationBytes)}`);
  const arithmetic = [
    `${joules(energy.dense)} if all is computed`,
    ...(total.skipped === 0 ? [] : [`${joules(energy.events)} if zeros are skipped`]),
    ...(energy.additive === null ? [] : [`${joules(energy.additive)} in additions alone`]),
  ];
  print(session, `energy       an estimate, counts times ${energyTable.source}; nothing is measured`);
  print(session, `  arithmetic ${arithmetic.join(', ')}`);
  print(session, `  memory     ${joules(energy.memory)}`);
  print(session, SIMULATION_NOTE);
}

const row = (name: string, counts: LayerOperationReport): string[] => [
  name,
  counts.firingRate?.toFixed(3) ?? '-',
  operations(counts.macs),
  operations(counts.dense),
  `${((100 * counts.skipped) / counts.dense).toFixed(1)} %`,
  counts.additions === null ? '-' : operations(counts.additions),
  operations(counts.ace),
  bytes(counts.weightBytes),
  joules(arithmeticOf(counts)),
];

const attentionOf = ({ macs, ace, floatKeyShare }: AttentionOperations): string =>
  `${operations(macs)} MACs of ${operations(ace)} ACE, ${(100 * floatKeyShare).toFixed(1)} % of the keys in float`;

/** In additions alone where that is possible. */
const arithmeticOf = ({ energy }: LayerOperationReport): number => energy.additive ?? energy.dense;

function widths(linears: readonly LinearOperationReport[]): string {
  const all = (of: (linear: LinearOperationReport) => number): string =>
    [...new Set(linears.map(of))].toSorted((a, b) => a - b).join(' or ');
  return `weights of ${all((linear) => linear.weightBits)} bits, activations of ${all((linear) => linear.activationBits)}`;
}
