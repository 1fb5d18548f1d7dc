import { loadConfig, type StrategyNames } from '../config/load.js';
import { type CliContext, ExitCode } from './context.js';

export interface ProcessContextOptions
  extends Pick<CliContext, 'version' | 'root' | 'plugins' | 'createAgent' | 'createSupervisor'> {
  /** Names of a plugin's strategies; undefined where its profile cannot be read. */
  readonly strategies?: StrategyNames;
  /** `process.exit`, which is main's to give: for a second Ctrl-C. */
  readonly forceExit: (code: number) => void;
}

export interface ProcessContext extends CliContext {
  /**
   * The process's exit code, once all of stdout is written or refused: what could not be written (a
   * full disk) is a failure, whatever the command thinks of its work.
   */
  exitCode(code: number): number;
}

/**
 * One Ctrl-C under `npm start` comes twice: the terminal signals every process of the group, and
 * npm passes on what it got. A person's second one comes later.
 */
const ECHO_MS = 300;

/** The real world for the commands: this process's streams, environment and signals. */
export function processContext(options: ProcessContextOptions): ProcessContext {
  const { version, root, plugins, createAgent, createSupervisor, strategies, forceExit } = options;
  const { stdout, stderr, env } = process;
  const interruption = new AbortController();
  let interruptedAt = 0;
  let refused = false;
  const interrupt = () => {
    const now = performance.now();
    if (!interruption.signal.aborted) interruptedAt = now;
    else if (now - interruptedAt > ECHO_MS) forceExit(ExitCode.forced);
    interruption.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // There is nobody to show anything to any more, so end as if asked to. A log that nobody reads is
  // no reason to stop.
  stdout.on('error', (error: Error) => {
    if (!refused && !isReaderGone(error)) {
      refused = true;
      stderr.write(`mem-watcher: cannot write to stdout: ${error.message}\n`);
    }
    interruption.abort();
  });
  stderr.on('error', () => undefined);
  return {
    stdout,
    stderr,
    env,
    version,
    root,
    plugins,
    createAgent,
    createSupervisor,
    loadConfig: (given) => loadConfig({ ...given, env, root, plugins, strategies }),
    interrupted: interruption.signal,
    onReload: (listener) => {
      const forget = listen('SIGHUP', listener);
      // Without any listener the next one, of a closing terminal, would kill what still flushes.
      return () => {
        process.on('SIGHUP', () => undefined);
        forget();
      };
    },
    onExit: (listener) => listen('exit', listener),
    exitCode: (code) => (refused && code === ExitCode.ok ? ExitCode.failure : code),
  };
}

/** `| head`, a closed terminal: somebody has seen enough. */
const isReaderGone = ({ code }: NodeJS.ErrnoException) => code === 'EPIPE' || code === 'EIO';

function listen(event: 'SIGHUP' | 'exit', listener: () => void): () => void {
  process.on(event, listener);
  return () => void process.off(event, listener);
}
