import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { look, sentenceOf } from '../../engine/client.ts';
import type { Fact, Offers } from '../../engine/offers.ts';
import { Notice } from '../../ui/notice.tsx';

/** What this browser has that the backends can use. */
export function Browser() {
  const offers = useSignal<Offers | undefined>(undefined);
  const failure = useSignal<string | undefined>(undefined);
  useEffect(() => {
    look().then(
      (seen) => (offers.value = seen),
      (error: unknown) => (failure.value = sentenceOf(error)),
    );
  }, []);
  return (
    <section class="panel" aria-labelledby="offers">
      <h2 id="offers">What this browser offers</h2>
      {failure.value !== undefined && <Notice kind="error">{failure.value}</Notice>}
      <div class="columns">
        <Facts title="WebAssembly" facts={offers.value?.wasm} />
        <Facts title="WebGPU" facts={offers.value?.webgpu} />
      </div>
    </section>
  );
}

function Facts({
  title,
  facts = [],
}: {
  readonly title: string;
  readonly facts: readonly Fact[] | undefined;
}) {
  return (
    <div>
      <h3>{title}</h3>
      <dl class="facts">
        {facts.map(({ what, value, has }) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd class={has === undefined ? '' : has ? 'has' : 'lacks'}>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
