/** `--max-memory` of the commands that start nodes. */
import { UsageError } from './exit.js';

export const maxMemoryOption = {
  type: 'string',
  requiresArg: true,
  describe:
    'Most memory that a node holds for keys, values and their index, such as 512MB or 2GB; none: no limit',
} as const;

const bytesPerUnit: Readonly<Record<string, number>> = {
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};
/** Below, a node that holds nothing would be nearly full. */
const bytesMin = 2 ** 20;
const bytesMax = 2 ** 50;

/** @returns undefined: nothing is said; 0: `none`. @throws UsageError */
export function memoryBytesMax(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === 'none') return 0;
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?) ?(B|[KMGT]I?B)$/.exec(text.toUpperCase()) ?? [];
  const bytes = Math.floor(Number(count) * (bytesPerUnit[unit.replace('I', '')] ?? NaN));
  if (count !== '' && bytes >= bytesMin && bytes <= bytesMax) return bytes;
  throw new UsageError(
    `--max-memory must be a size from 1MB on, such as 512MB or 2GB, or none, not '${text}'`,
  );
}
