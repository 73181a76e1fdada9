import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { activity, backend, model, openModel, spiking } from '../../engine/client.ts';
import { count } from '../../ui/format.ts';
import { TextField } from '../../ui/controls.tsx';
import { text, urlSignal } from '../../url-state.ts';
import { modelFiles, pathsOfDrop, pathsOfInput, type PathFile } from './folder.ts';
import { attempt } from './state.ts';

/** Such as `owner/name`. */
const hubId = urlSignal('calibrate', 'hub', '', text);

/** Opens a model folder that the reader drops or picks. */
export function OpenModel() {
  const folder = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const over = useSignal(false);
  const busy = backend.value === undefined || activity.value !== undefined;
  const picked = (input: HTMLInputElement): void => {
    void open(Promise.resolve(pathsOfInput(input)));
    input.value = '';
  };
  return (
    <section
      class={`panel drop ${over.value ? 'over' : ''}`}
      aria-labelledby="open-model"
      onDragOver={(event) => {
        event.preventDefault();
        over.value = true;
      }}
      onDragLeave={() => (over.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        over.value = false;
        if (!busy && event.dataTransfer) void open(pathsOfDrop(event.dataTransfer));
      }}
    >
      <h2 id="open-model">Open a model</h2>
      <p class="help">
        {model.value
          ? `Open: ${model.value.name}, ${model.value.layers} layers of ${model.value.hiddenSize}, ${count(model.value.parameters)} parameters${spiking.value ? `; spiking: ${spiking.value.name}` : ''}.`
          : 'None yet.'}
      </p>
      <p class="help">
        Drop a folder of the LLaMA family here: config.json, tokenizer.json and model.safetensors, or shards
        with their index. Nothing is uploaded.
      </p>
      <p class="help">
        A SpikeLLM checkpoint becomes the spiking model; the float model beside it stays, so open the one that
        it was made from first.
      </p>
      <div class="row">
        <button type="button" disabled={busy} onClick={() => folder.current!.click()}>
          Choose a folder
        </button>
        <button type="button" disabled={busy} onClick={() => files.current!.click()}>
          Choose files
        </button>
        <button
          type="button"
          disabled={busy || model.value?.bundled === true}
          onClick={() => void attempt('opening the model', () => openModel({ kind: 'bundled' }))}
        >
          Bundled model
        </button>
      </div>
      <form
        class="hub"
        onSubmit={(event) => {
          event.preventDefault();
          void attempt('downloading the model', () => openModel({ kind: 'hub', id: hubId.value.trim() }));
        }}
      >
        <TextField
          label="Hugging Face id"
          signal={hubId}
          help="Downloaded once into the private files of this page; a download that was cut off goes on."
        />
        <button type="submit" disabled={busy || hubId.value.trim() === ''}>
          Download
        </button>
      </form>
      <input
        ref={folder}
        type="file"
        hidden
        aria-label="Model folder"
        {...{ webkitdirectory: true }}
        onChange={({ currentTarget }) => picked(currentTarget)}
      />
      <input
        ref={files}
        type="file"
        multiple
        hidden
        aria-label="Model files"
        onChange={({ currentTarget }) => picked(currentTarget)}
      />
    </section>
  );
}

const open = (found: Promise<readonly PathFile[]>): Promise<void> =>
  attempt('opening the model', async () => {
    const { name, files } = modelFiles(await found);
    await openModel({ kind: 'files', name, files });
  });
