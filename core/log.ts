import pino from 'pino';
import { harmless } from './cli/text.js';
import type { Logger } from './logger.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  /** A function is asked at every line, so that the level can change. */
  readonly level: LogLevel | (() => LogLevel);
  /** JSON lines for programs, or `time LEVEL message: fields` for people. */
  readonly format: 'json' | 'text';
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void;
}

/** The agent's own log. Data is never on it: data is on stdout. */
export function createLogger({ level, format, write }: LogOptions): Logger {
  const options: pino.LoggerOptions = {
    level: 'debug',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  const lines = pino(options, {
    write: format === 'json' ? write : (line) => write(asText(line)),
  });
  return leveled(lines, typeof level === 'function' ? level : () => level);
}

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** pino's loggers each keep the level that they were made with. */
function leveled(lines: pino.Logger, current: () => LogLevel): Logger {
  const at = (level: LogLevel) => (fields: object, message: string) => {
    if (RANKS[level] >= RANKS[current()]) lines[level](fields, message);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => leveled(lines.child(fields), current),
  };
}

/** pino's JSON line as a person reads it. */
function asText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const details = Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const words = `${msg}${details && `  ${details}`}`;
  // An endpoint's answer is among them, and this goes to a terminal.
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${harmless(words)}\n`;
}
