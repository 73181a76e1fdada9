import { SIMULATION_NOTE } from '@spikellm/evaluation';
import { bytes, joules, operations, table } from '../format.ts';
import { print, type Session } from '../session.ts';
import { isDone, type DoneRow, type Row } from './row.ts';

/** A column of the comparison: what it is called, in the terminal in two lines, and how it shows a row. */
export interface Column {
  readonly head: readonly [string, string];
  readonly show: (row: DoneRow) => string;
}

const NOTHING = '-';
const orDash = (value: number | null, places: number): string => value?.toFixed(places) ?? NOTHING;

/** Arithmetic in additions alone where that is possible, else as multiply-accumulates. In picojoules per token. */
const arithmeticEnergy = ({ operations: { total } }: DoneRow): number =>
  total.energy.additive ?? total.energy.dense;

const COLUMNS: readonly Column[] = [
  { head: ['', 'perplexity'], show: ({ evaluation }) => evaluation.perplexity.toFixed(2) },
  { head: ['bits per', 'weight'], show: ({ bitsPerWeight }) => bitsPerWeight.toFixed(2) },
  { head: ['weight', 'steps'], show: ({ averageWeightSteps }) => orDash(averageWeightSteps, 2) },
  { head: ['spike', 'steps'], show: ({ averageSteps }) => orDash(averageSteps, 2) },
  { head: ['', 'ACE'], show: (row) => operations(row.operations.total.ace) },
  { head: ['KV', 'cache'], show: ({ kv }) => kv.key },
  { head: ['float bits', 'of a KV'], show: ({ kv }) => kv.floatResidueBits.toFixed(1) },
  { head: ['arithmetic', 'energy'], show: (row) => joules(arithmeticEnergy(row)) },
  { head: ['memory', 'energy'], show: (row) => joules(row.operations.total.energy.memory) },
  { head: ['', 'size'], show: (row) => (row.bytes === null ? NOTHING : bytes(row.bytes)) },
  {
    head: ['calibration', 's'],
    show: ({ calibrationSeconds }) => orDash(calibrationSeconds, 1),
  },
  { head: ['', 'tokens/s'], show: ({ tokensPerSecond }) => orDash(tokensPerSecond, 0) },
];

/** The columns in which some row has something to show. */
export const columnsOf = (rows: readonly DoneRow[]): Column[] =>
  COLUMNS.filter(({ show }) => rows.length === 0 || rows.some((row) => show(row) !== NOTHING));

/** What the table shows, in sentences. */
export function tableNotes(rows: readonly DoneRow[]): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  const { windows, window } = first.evaluation;
  const { source } = first.operations.energyTable;
  const baselines = rows.filter(({ baseline }) => baseline !== null).map(({ method }) => method);
  const kept = rows.filter(({ cached }) => cached).map(({ method }) => method);
  return [
    `Perplexity on ${windows} windows of ${window} tokens. ACE and energy are per token, of the linears of all layers and rotations that run. Float bits are those of a cached ` +
      'value that queries read: 32, or the share of keys whose block is open.',
    `Energy is an estimate, counts times ${source}: arithmetic in additions alone where spikes permit, memory with ` +
      'every weight read once per token. Nothing of it is measured.',
    SIMULATION_NOTE,
    ...(baselines.length > 0
      ? [
          `Without a packed format, run as floats: ${baselines.join(', ')}. Bits, steps and energy are those of a ` +
            'format of their own, were no binary digit 0; tokens/s is that of floats.',
        ]
      : []),
    ...(kept.length > 0 ? [`Kept from an earlier run, times as they were then: ${kept.join(', ')}.`] : []),
  ];
}

export function showComparison(session: Session, rows: readonly Row[]): void {
  const done = rows.filter(isDone);
  const columns = columnsOf(done);
  const head = ['\nmethod', ...columns.map((column) => column.head.join('\n'))];
  const cells = rows.map((row) => [
    row.method,
    ...(isDone(row)
      ? columns.map((column) => column.show(row))
      : ['failed', ...columns.slice(1).map(() => '')]),
  ]);
  print(session, table(head, cells));
  for (const row of rows) if (!isDone(row)) print(session, `${row.method} failed: ${row.error}`);
  for (const line of tableNotes(done)) print(session, line);
}
