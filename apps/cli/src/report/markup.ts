/** Text that is HTML already. */
export interface Markup {
  readonly html: string;
}

type Part = Markup | string | number | readonly Part[];

/** HTML from a template; what is put into it is escaped unless it is markup. */
export const html = (parts: TemplateStringsArray, ...values: readonly Part[]): Markup => ({
  html: parts.reduce((text, part, i) => text + textOf(values[i - 1]) + part),
});

/** Markup as it is, such as a drawing. */
export const raw = (text: string): Markup => ({ html: text });

function textOf(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') return escape(String(part));
  return 'html' in part ? part.html : part.map(textOf).join('');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]);

/** A table: a head, and rows whose first cell names them. */
export const numbersTable = (
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Markup =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
