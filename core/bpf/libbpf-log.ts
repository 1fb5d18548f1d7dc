/**
 * libbpf's words. It knows one print function a process, so the words of a call go to whoever made
 * the call; words outside of one go nowhere.
 */
import type { OpenOptions } from './host.js';
import type { LibbpfApi } from './libbpf-api.js';

type Log = NonNullable<OpenOptions['log']>;

const LEVELS = ['warn', 'info', 'debug'] as const;
/** A verifier's log can have megabytes; its end says what is wrong. */
const TAIL_BYTES = 32 * 1024;
const MAX_WARNINGS = 64;

/** What libbpf said at level `warn` during a call, oldest first. */
export type Warnings = string[];

interface Listener {
  readonly log: Log | undefined;
  readonly warnings: Warnings;
}

let listener: Listener | undefined;

/** Installs the print function; once a process is enough. */
export function listenToLibbpf(api: LibbpfApi): void {
  api.setPrint((level, format, args) => {
    if (!listener || (level > 0 && !listener.log)) return 0;
    const text = formatTail(api, format, args);
    if (level === 0) {
      listener.warnings.push(text);
      if (listener.warnings.length > MAX_WARNINGS) listener.warnings.shift();
    }
    listener.log?.(LEVELS[level] ?? 'debug', text);
    return 0;
  });
}

/** Runs `call`, and gives it the list that libbpf's warnings are added to. */
export function listening<T>(log: Log | undefined, call: (warnings: Warnings) => T): T {
  const outer = listener;
  const inner: Listener = { log, warnings: [] };
  listener = inner;
  try {
    return call(inner.warnings);
  } finally {
    listener = outer;
  }
}

function formatTail(api: LibbpfApi, format: bigint, args: bigint): string {
  const out: [bigint | null] = [null];
  const length = api.formatList(out, format, args);
  const [text] = out;
  if (length < 0 || text === null) return '(libbpf said something for which there is no memory)';
  try {
    const from = Math.max(0, length - TAIL_BYTES);
    return api.text(text + BigInt(from), length - from).trimEnd();
  } finally {
    api.free(text);
  }
}
