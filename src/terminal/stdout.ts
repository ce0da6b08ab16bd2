/**
 * What commands print. Node writes to a pipe or a terminal until all of it is taken; into a file it writes once, and does not
 * look how much of it there was room for.
 */
import { Buffer } from 'node:buffer';
import { fstatSync, writeSync } from 'node:fs';

const stdoutFd = 1;

function isFile(): boolean {
  try {
    return fstatSync(stdoutFd).isFile();
  } catch {
    // It is closed: nobody reads it.
    return false;
  }
}

/** @throws Error if there is no room for all of it */
function writeToFile(data: string | Uint8Array): void {
  let rest = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(stdoutFd, rest));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot write output: ${why}`, { cause: error });
  }
}

/** Of an error that is not just a reader who has gone the stream's own listener tells. @throws Error if a file takes no more */
export function print(data: string | Uint8Array): void {
  if (isFile()) writeToFile(data);
  else process.stdout.write(data);
}

/** As `print`. @returns when it has been taken, whether somebody reads on */
export async function printed(data: string | Uint8Array): Promise<boolean> {
  if (isFile()) {
    writeToFile(data);
    return true;
  }
  return await new Promise((resolve) => {
    process.stdout.write(data, (error) => {
      resolve(error === undefined || error === null);
    });
  });
}
