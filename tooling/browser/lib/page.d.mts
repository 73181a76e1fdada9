import type { Page } from 'playwright';

/** Serves `pages` and opens one of them, cross-origin isolated; `mounts` are folders served by their paths. */
export declare function openPage(
  name: string,
  mounts?: Readonly<Record<string, string>>,
): Promise<{ readonly page: Page; readonly version: string; close(): Promise<void> }>;
