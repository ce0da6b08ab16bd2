/** A check that yargs has not: of an option that is on or off it takes any value but `true` for off, `--respawn=yes` as well. */

/**
 * What is wrong with the first such option whose value is neither `true` nor `false`; undefined: nothing.
 *
 * @param args - as they were written
 * @param options - what yargs has made of them: what is true or false there is on or off
 */
export function oddSwitch(
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
): string | undefined {
  const end = args.indexOf('--');
  for (const arg of end < 0 ? args : args.slice(0, end)) {
    const [, name, value = ''] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    if (name === undefined || typeof options[name] !== 'boolean') continue;
    if (value !== 'true' && value !== 'false') return `--${name} is true or false, not '${value}'`;
  }
  return undefined;
}
