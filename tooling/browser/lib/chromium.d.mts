export const CHROMIUM_ARGUMENTS: string[];
export const ISOLATION: Readonly<Record<string, string>>;
export function findChromium(): string | undefined;
