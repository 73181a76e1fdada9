import type { ComponentChildren } from 'preact';

/** A sentence that the reader should see; an error is read out at once. */
export function Notice({
  kind = 'note',
  children,
}: {
  readonly kind?: 'note' | 'error' | 'estimate';
  readonly children: ComponentChildren;
}) {
  return (
    <p class={`notice ${kind}`} role={kind === 'error' ? 'alert' : undefined}>
      {children}
    </p>
  );
}
