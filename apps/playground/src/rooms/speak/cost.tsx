import { SIMULATION_NOTE, type LayerOperationReport } from '@spikellm/evaluation';
import { SIDES, type Side } from '../../engine/reply.ts';
import { bytes, joules, operations as operationCount } from '../../ui/format.ts';
import { Notice } from '../../ui/notice.tsx';
import { CONSTANTS, constants, DEFAULT_CONSTANTS } from './options.ts';
import { cost, type Cost } from './session.ts';

type Show = (total: LayerOperationReport, tokens: number) => string;

const operations =
  (of: (total: LayerOperationReport) => number | null): Show =>
  (total, tokens) => {
    const value = of(total);
    return value === null ? '–' : operationCount(value * tokens);
  };
const energy =
  (of: (total: LayerOperationReport) => number | null): Show =>
  (total, tokens) => {
    const value = of(total);
    return value === null ? '–' : joules(value * tokens);
  };

const COUNTED: readonly (readonly [name: string, show: Show])[] = [
  ['multiply-accumulates of a float model', operations(({ macs }) => macs)],
  ['products of a weight and a spike step', operations(({ dense }) => dense)],
  ['left out where a step is silent', ({ skipped, dense }) => `${((100 * skipped) / dense).toFixed(1)} %`],
  ['additions alone, level by level', operations(({ additions }) => additions)],
  ['ACE, bits times bits', operations(({ ace }) => ace)],
  ['bytes of weights read', ({ weightBytes }, tokens) => bytes(weightBytes * tokens)],
];
const ESTIMATED: readonly (readonly [name: string, show: Show])[] = [
  ['arithmetic, everything computed', energy((total) => total.energy.dense)],
  ['arithmetic, silent steps left out', energy((total) => total.energy.events)],
  ['arithmetic, additions alone', energy((total) => total.energy.additive)],
  ['memory', energy((total) => total.energy.memory)],
];

/** What prompt and reply cost each model, in operations and in estimated energy. */
export function CostOfReply() {
  const { value: counted } = cost;
  return (
    <section class="panel stack" aria-labelledby="cost">
      <div>
        <h2 id="cost">Operations and estimated energy of this reply</h2>
        <Notice kind="estimate">
          An estimate: operations are counted, and priced with the constants below; nothing is measured.{' '}
          {SIMULATION_NOTE}
        </Notice>
      </div>
      <div class="scroll">
        <table class="cost">
          <caption>
            The linears of all layers, for every token of prompt and reply, one at a time
            {counted && ` (float ${counted.tokens.float}, spiking ${counted.tokens.spiking} tokens)`}.
          </caption>
          <thead>
            <tr>
              <th scope="col">Operations</th>
              <th scope="col">Float</th>
              <th scope="col">Spiking</th>
            </tr>
          </thead>
          <Rows rows={COUNTED} counted={counted} />
          <thead>
            <tr>
              <th scope="col">Energy, estimated</th>
              <th scope="col">Float</th>
              <th scope="col">Spiking</th>
            </tr>
          </thead>
          <Rows rows={ESTIMATED} counted={counted} />
        </table>
      </div>
      <Constants />
      {counted && <Memory of={counted} />}
    </section>
  );
}

function Rows({ rows, counted }: { readonly rows: typeof COUNTED; readonly counted: Cost | undefined }) {
  const cell = (side: Side, show: Show): string =>
    counted ? show(counted.reports[side].total, counted.tokens[side]) : '–';
  return (
    <tbody>
      {rows.map(([name, show]) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          {SIDES.map((side) => (
            <td key={side}>{cell(side, show)}</td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}

/** The energy table, to be edited. */
function Constants() {
  const { value } = constants;
  const changed = value.some((constant, i) => constant !== DEFAULT_CONSTANTS[i]);
  return (
    <details>
      <summary>Constants of the estimate{changed && ', changed'}</summary>
      <p class="soft small">
        Energies in picojoules. The default is 45 nm at 0.9 V (M. Horowitz, “Computing’s energy problem”,
        ISSCC 2014).
      </p>
      <div class="scroll">
        <table class="constants">
          <thead>
            <tr>
              <th scope="col">Energy of</th>
              <th scope="col">pJ</th>
            </tr>
          </thead>
          <tbody>
            {CONSTANTS.map((name, i) => (
              <tr key={name}>
                <th scope="row" id={`constant-${i}`}>
                  {name}
                </th>
                <td>
                  <input
                    type="number"
                    min={0}
                    step="any"
                    value={value[i]}
                    aria-labelledby={`constant-${i}`}
                    onChange={({ currentTarget }) => change(i, currentTarget)}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <button type="button" disabled={!changed} onClick={() => (constants.value = DEFAULT_CONSTANTS)}>
        Reset
      </button>
    </details>
  );
}

function change(place: number, input: HTMLInputElement): void {
  const value = input.valueAsNumber;
  if (value >= 0 && value <= 1e6) constants.value = constants.value.with(place, value);
  else input.value = String(constants.value[place]);
}

function Memory({ of: { memory } }: { readonly of: Cost }) {
  const { liveBytes, wasmBytes } = memory;
  return (
    <p class="soft small">
      The engine holds{' '}
      <data class="live-bytes" value={liveBytes}>
        {bytes(liveBytes)}
      </data>{' '}
      of tensors and packed weights
      {wasmBytes !== undefined && (
        <>
          {' in '}
          <data class="wasm-bytes" value={wasmBytes}>
            {bytes(wasmBytes)}
          </data>
          {' of WebAssembly memory'}
        </>
      )}
      .
    </p>
  );
}
