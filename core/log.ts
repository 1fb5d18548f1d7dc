import pino from 'pino';
import { harmless } from './cli/text.js';
import type { Logger } from './logger.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  /** JSON lines for programs, or `time LEVEL message: fields` for people. */
  readonly format: 'json' | 'text';
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void;
}

/** The agent's own log. Data is never on it: data is on stdout. */
export function createLogger({ level, format, write }: LogOptions): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  };
  return pino(options, { write: format === 'json' ? write : (line) => write(asText(line)) });
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
