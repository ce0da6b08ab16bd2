/** Whether there is a directory to work in: all relative paths begin there, and yargs asks for it at once. */

/** @returns what is wrong with it; undefined: nothing */
export function workingDirectoryProblem(): string | undefined {
  try {
    process.cwd();
    return undefined;
  } catch {
    return 'the directory that this was started in is not there any more; change to another one';
  }
}
