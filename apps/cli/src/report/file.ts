import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import type { ReportContent } from './html.ts';

/** Refuses a path that a report cannot be written to, before the work begins. Errors: INVALID_ARGUMENT. */
export async function checkReportPath(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) throw refuse(path, 'which is a folder');
  const about = await stat(folder).catch(() => undefined);
  if (about === undefined) throw refuse(path, `whose folder ${folder} does not exist`);
  if (!about.isDirectory()) throw refuse(path, `whose folder ${folder} is a file`);
  await access(found === undefined ? folder : path, constants.W_OK).catch((cause: Error) => {
    throw refuse(path, 'which may not be written', cause);
  });
}

/** Draws the report and writes it. Errors: INVALID_ARGUMENT. */
export async function writeReport(path: string, content: ReportContent): Promise<void> {
  const { renderReport } = await import('./html.ts'); // what draws takes a while to load
  await writeFile(path, renderReport(content)).catch((cause: Error) => {
    throw refuse(path, `which cannot be written (${cause.message})`, cause);
  });
}

const refuse = (path: string, reason: string, cause?: Error): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', {
    where: '--html',
    expected: 'a file that can be written',
    received: `${path}, ${reason}`,
    cause,
  });
