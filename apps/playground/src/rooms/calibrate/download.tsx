import { downloadZip } from 'client-zip';
import { askAtRest, sentenceOf, spiking } from '../../engine/client.ts';
import { save } from '../../ui/export.ts';
import { problem } from './state.ts';

/** Offers the spiking model as a folder that the command line reads. */
export function Download() {
  if (spiking.value === undefined) return null;
  return (
    <button type="button" onClick={() => void download()}>
      Download checkpoint
    </button>
  );
}

async function download(): Promise<void> {
  try {
    const { name } = spiking.peek()!;
    const files = await askAtRest((engine) => engine.spikingFiles());
    const entries = Array.from(files, ([file, input]) => ({
      name: `${name}/${file}`,
      input,
      size: input.size,
    }));
    save(`${name}.zip`, await downloadZip(entries).blob());
  } catch (error) {
    problem.value = sentenceOf(error);
  }
}
