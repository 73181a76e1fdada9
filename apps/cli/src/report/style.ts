/** The style of a report: light or dark as the reader's system is, figures beside their numbers where there is room. */
export const STYLE = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1b1b; --soft: #5b5b5b; --line: #d8d8d8; --shade: #f5f5f3;
  --grey: #6e6e6e; --blue: #1f6fb2; --red: #c2402c; --green: #2f7d4f; --orange: #a8650c; }
@media (prefers-color-scheme: dark) {
  :root { --page: #161616; --text: #e9e9e6; --soft: #a9a9a4; --line: #3a3a3a; --shade: #202020;
    --grey: #9c9c9c; --blue: #6cb2ee; --red: #f0826f; --green: #74c795; --orange: #e2a655; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .4rem; }
p { margin: .3rem 0; max-width: 75ch; }
.soft, caption { color: var(--soft); font-size: .875rem; overflow-wrap: anywhere; }
.estimate { border-left: 3px solid var(--orange); padding-left: 12px; margin: 12px 0; }
.figure { display: grid; grid-template-columns: minmax(0, 720px) minmax(0, 1fr); gap: 12px 28px; align-items: start;
  margin-top: 8px; }
.figure .scroll { max-height: 420px; }
figure { margin: 0; }
svg { display: block; max-width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
.scroll { overflow: auto; border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; padding: 6px 10px; }
th, td { padding: 4px 10px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; white-space: normal; }
tbody th { text-align: left; font-weight: 500; position: sticky; left: 0; background: var(--page); }
th:first-child { text-align: left; }
td.wide { text-align: left; white-space: normal; color: var(--red); }
tbody tr:nth-child(even) > * { background: var(--shade); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; list-style: none; margin: 6px 0; padding: 0; font-size: .875rem; }
.legend li { display: flex; align-items: center; gap: 6px; }
.legend span { display: inline-block; width: 14px; height: 14px; border: 1px solid var(--line); }
@media (max-width: 1000px) { .figure { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 760px) {
  main { padding: 16px 16px 48px; }
  .wide-plot { display: none; } .narrow { display: block; }
  table { font-size: .8125rem; } th, td { padding: 4px 8px; }
}
@media print { .figure { break-inside: avoid; } .scroll { overflow: visible; max-height: none !important; } }
`;
