/** Small file systems, for tests of what happens where there is no room, or where nothing can be written. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * To be called in a `describe`; what was mounted is taken away after each test.
 * @returns mounts one, with these options of tmpfs; its path, or undefined if this user, or this system, cannot
 */
export function useSmallFileSystems(): (options: string) => string | undefined {
  const mounted: string[] = [];
  afterEach(() => {
    for (const path of mounted.splice(0)) {
      execFileSync('umount', ['-l', path]);
      rmSync(path, { recursive: true });
    }
  });
  return (options) => {
    const path = mkdtempSync(join(tmpdir(), 'gtstore-small-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'pipe' });
    } catch {
      rmSync(path, { recursive: true });
      return undefined;
    }
    mounted.push(path);
    return path;
  };
}
