import { loadConfig, type StrategyNames } from '../config/load.js';
import { type CliContext, ExitCode } from './context.js';

export interface ProcessContextOptions
  extends Pick<CliContext, 'version' | 'root' | 'plugins' | 'createAgent' | 'createSupervisor'> {
  /** Names of a plugin's strategies; undefined where its profile cannot be read. */
  readonly strategies?: StrategyNames;
  /** `process.exit`, which is main's to give: for a second Ctrl-C. */
  readonly forceExit: (code: number) => void;
}

/**
 * One Ctrl-C under `npm start` comes twice: the terminal signals every process of the group, and
 * npm passes on what it got. A person's second one comes later.
 */
const ECHO_MS = 300;

/** The real world for the commands: this process's streams, environment and signals. */
export function processContext(options: ProcessContextOptions): CliContext {
  const { version, root, plugins, createAgent, createSupervisor, strategies, forceExit } = options;
  const { stdout, stderr, env } = process;
  const interruption = new AbortController();
  let interruptedAt = 0;
  const interrupt = () => {
    const now = performance.now();
    if (!interruption.signal.aborted) interruptedAt = now;
    else if (now - interruptedAt > ECHO_MS) forceExit(ExitCode.forced);
    interruption.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // The reader has gone away (`| head`, a closed terminal): there is nobody to show anything to, so
  // end as if asked to. A log that nobody reads is no reason to stop.
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE' || code === 'EIO') interruption.abort();
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
    onReload: (listener) => listen('SIGHUP', listener),
    onExit: (listener) => listen('exit', listener),
  };
}

function listen(event: 'SIGHUP' | 'exit', listener: () => void): () => void {
  process.on(event, listener);
  return () => void process.off(event, listener);
}
