import { effect, signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'theme';
const kept = localStorage.getItem(KEY);

/** The colours of the page: those of the system, or the reader's choice. index.html sets them before the page is drawn. */
export const theme = signal<Theme>(THEMES.find((name) => name === kept) ?? 'system');

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem(KEY, theme.value);
});
