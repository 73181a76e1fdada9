/** Files that the reader takes away. */

/** A row of a table: values by the names of their columns. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** Offers a file to the reader. */
export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  // The download has its own hold on the Blob once it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const fileName = (title: string, extension: string): string =>
  `${title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')}.${extension}`;

/** Rows as RFC 4180 has them, the names of the columns first. */
export function csvOf(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  const cell = (value: Row[string]): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names, ...rows.map((row) => names.map((name) => row[name]))]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`)
    .join('');
}

export const saveCsv = (title: string, rows: readonly Row[]): void =>
  save(fileName(title, 'csv'), new Blob([csvOf(rows)], { type: 'text/csv' }));

/** Properties that the style of the page gives a drawing. */
const STYLED = ['fill', 'stroke', 'color', 'font-family', 'font-size', 'background-color'] as const;

/** Saves the first drawing below an element, with the colours it has in the page. */
export function saveSvg(title: string, below: Element): void {
  const drawn = below.querySelector('svg');
  if (drawn === null) return;
  const copy = drawn.cloneNode(true) as SVGSVGElement;
  const originals = [drawn, ...drawn.querySelectorAll('*')];
  for (const [i, element] of [copy, ...copy.querySelectorAll<SVGElement>('*')].entries()) {
    const style = getComputedStyle(originals[i]);
    for (const property of STYLED) element.style.setProperty(property, style.getPropertyValue(property));
  }
  copy.style.setProperty('background-color', getComputedStyle(document.body).backgroundColor);
  copy.removeAttribute('aria-hidden');
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  save(fileName(title, 'svg'), new Blob([copy.outerHTML], { type: 'image/svg+xml' }));
}
