import * as v from 'valibot';

/** An object whose missing fields are named as wrong ones are: a field that is missing is named by its parent. */
export const record = <Entries extends v.ObjectEntries>(entries: Entries) =>
  v.looseObject(entries, (issue) => {
    const [item] = issue.path ?? [];
    const entry = entries[String(item?.key)] as { readonly message?: unknown } | undefined;
    return typeof entry?.message === 'string' ? entry.message : 'to be an object';
  });
