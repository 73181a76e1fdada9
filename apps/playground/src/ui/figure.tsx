import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { saveCsv, saveSvg, type Row } from './export.ts';

/** Draws at a width in pixels; what it gives is put into the page. */
export type Draw = (width: number) => Element;

/**
 * A plot that fills its column, with its data to take away. It is drawn anew when `draw` changes: make that with
 * `useCallback` or `useMemo`, or inside a component that reads the signals it depends on.
 */
export function Figure({
  title,
  description,
  draw,
  rows,
  children,
}: {
  readonly title: string;
  /** What is seen, for those who do not see it. */
  readonly description: string;
  readonly draw: Draw;
  /** What the plot shows, as a table. */
  readonly rows: () => readonly Row[];
  /** A caption. */
  readonly children?: ComponentChildren;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (width === 0) return;
    const drawn = draw(width);
    // The frame is the image that is described; the parts of a drawing have labels of their own that say less.
    drawn.setAttribute('aria-hidden', 'true');
    frame.current!.replaceChildren(drawn);
  }, [draw, width]);
  return (
    <figure>
      <div class="figure-head">
        <h3>{title}</h3>
        <span class="actions">
          <button type="button" class="quiet" onClick={() => saveSvg(title, frame.current!)}>
            SVG<span class="unseen"> of {title}</span>
          </button>
          <button type="button" class="quiet" onClick={() => saveCsv(title, rows())}>
            CSV<span class="unseen"> of {title}</span>
          </button>
        </span>
      </div>
      <div ref={frame} class="plot" role="img" aria-label={description} />
      {children && <figcaption>{children}</figcaption>}
    </figure>
  );
}
