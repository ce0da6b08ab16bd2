/** Links of the file system. */
import { lstat } from 'node:fs/promises';

/** Whether that is a link, wherever it leads; false if there is nothing. */
export async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}
