// Loaded by mocha before a suite: when its last test is done, its process must end by itself. If it does not, this says
// what holds it and ends it as failed, so that a socket or a child left open by a test cannot keep a whole run waiting.
import { setTimeout } from 'node:timers';

const graceMs = 15_000;

function describe(handle) {
  const { constructor, localPort, remotePort, pid, spawnargs, listening } = handle;
  const traits = { localPort, remotePort, pid, spawnargs: spawnargs?.join(' '), listening };
  const known = Object.entries(traits).filter(([, value]) => value !== undefined);
  return [constructor.name, ...known.map(([name, value]) => `${name} ${value}`)].join(', ');
}

export const mochaHooks = {
  afterAll() {
    // It does not hold the process itself: it only goes off where something else does.
    setTimeout(() => {
      const handles = process._getActiveHandles().map(describe);
      console.error(`The tests are done, but their process does not end. It is held by:`);
      for (const what of [...handles, ...process.getActiveResourcesInfo()]) console.error(`  ${what}`);
      // mocha sets the exit code itself when the process ends, to the number of failed tests.
      process.on('exit', () => (process.exitCode = 1)).exit();
    }, graceMs).unref();
  },
};
