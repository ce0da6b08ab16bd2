/**
 * The log of manager and nodes: one line each on stderr, `2026-11-20T12:00:00.123Z info  manager  epoch 7: ...`.
 * Colours on a terminal only.
 *
 * winston takes some 40 ms to load, a quarter of a node's start-up time. A node has it loaded before it serves: its first
 * line may well be about a failure, or about a move of slots, when all of them speak at once and requests would wait.
 */
import { createRequire } from 'node:module';
import type winston from 'winston';
import type { Logger } from '../protocol/logger.js';
import { type LogLevel, logLevels } from './options.js';

const emptyWrites = 100;
const levelWidth = Math.max(...logLevels.map((level) => level.length));
const sourceWidth = 'manager'.length;
const colours: Readonly<Record<LogLevel, string>> = { error: '31', warn: '33', info: '36', debug: '90' };

/**
 * @param source - who speaks: `manager`, `node 3`
 * @param isSeldomUsed - whether to prepare nothing before the first line: neither winston nor stderr
 */
export function createLogger(source: string, level: LogLevel, isSeldomUsed = false): Logger {
  const levelsShown = logLevels.slice(0, logLevels.indexOf(level) + 1);
  let logger = isSeldomUsed ? undefined : winstonLogger(source, level);
  if (!isSeldomUsed) writeNothing();
  const write = (lineLevel: LogLevel, text: string): void => {
    if (!levelsShown.includes(lineLevel)) return;
    logger ??= winstonLogger(source, level);
    logger.log(lineLevel, text);
  };
  return {
    error: (text) => {
      write('error', text);
    },
    warn: (text) => {
      write('warn', text);
    },
    info: (text) => {
      write('info', text);
    },
    debug: (text) => {
      write('debug', text);
    },
  };
}

/**
 * stderr and sockets share the code of streams. A line on stderr that comes late, when that has been compiled for sockets
 * alone, throws it away and makes requests wait; a few writes without content, before there are any, do not.
 */
function writeNothing(): void {
  for (let times = 0; times < emptyWrites; times++) process.stderr.write('');
}

function winstonLogger(source: string, level: LogLevel): winston.Logger {
  const {
    createLogger: create,
    format,
    transports,
  } = createRequire(import.meta.url)('winston') as typeof winston;
  const isColoured = process.stderr.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  return create({
    level,
    levels: Object.fromEntries(logLevels.map((name, index) => [name, index])),
    format: format.printf((info) =>
      formatLine(new Date(), info.level as LogLevel, source, String(info.message), isColoured),
    ),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- so winston declares it
    transports: [new transports.Console({ stderrLevels: [...logLevels] })],
  });
}

function formatLine(at: Date, level: LogLevel, source: string, text: string, isColoured: boolean): string {
  const name = level.padEnd(levelWidth);
  const shown = isColoured ? `\u001b[${colours[level]}m${name}\u001b[39m` : name;
  return `${at.toISOString()} ${shown} ${source.padEnd(sourceWidth)}  ${text.replaceAll(/\s*\n\s*/g, '; ')}`;
}
