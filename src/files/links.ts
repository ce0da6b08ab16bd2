/** Links of the file system. */
import { lstat } from 'node:fs/promises';

/** Whether that is a link, wherever it leads; false if there is nothing. */
export async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}

/**
 * Of a path at which nothing is found: a file made there would take the place of the link, and not lie where it leads.
 * @throws Error
 */
export async function refuseDeadLink(path: string): Promise<void> {
  if (await isLink(path)) throw new Error('it is a link that leads nowhere');
}
