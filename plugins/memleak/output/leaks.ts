/** `mem-watcher leaks`, to which the original's `-l PID` and `--memleak=PID` lead. */
import type { CliContext } from '../../../core/cli/context.js';
import { failure, statusOf } from '../../../core/cli/live.js';
import type { PluginCommand } from '../../../core/cli/plugin-command.js';
import { MemWatcherError } from '../../../core/errors.js';
import type { StrategyReport } from '../../../core/kernel/kernel.js';
import { metadata } from '../metadata.js';
import { Alive } from './alive.js';
import { destinationOf } from './destination.js';
import { isBinary } from './formats.js';
import { Hunt } from './hunt.js';
import { OPTIONS, type Plan, planOf } from './options.js';
import { type Given, overridesOf } from './overrides.js';
import { walkNote } from './walk-note.js';

const EPILOG = `Exit codes:
  0    watched and reported, whatever was found; --exit-code says another for confirmed leaks
  1    it could not watch: no such process, no permission, a target that cannot be followed,
       or that was left because watching it cost too much
  2    wrong arguments

For instance:
  mem-watcher leaks --pid 4077 --duration 60s
  mem-watcher leaks --executable nginx --duration 10m --format pprof --output nginx.pb.gz
  mem-watcher leaks --pid 4077 --duration 5m --format svg -o leaks.svg --exit-code 9

docs/leaks.md says how to read the verdict.`;

/** What was asked for in words that leave no room for a live report. */
const ENDS_ONCE = /^(--once|--format|-f)/;
const SELECTING = /^--(pid|executable|container|cgroup|unit|kernel)\b/;

export const leaks: PluginCommand = {
  name: 'leaks',
  summary: 'which call stacks of a process leak, with a verdict on each',
  description:
    'Watches the allocations of processes, or of the kernel, and says of every stack with ' +
    'outstanding ones whether it leaks. On a terminal and without --duration it goes on until Ctrl-C.',
  options: OPTIONS,
  epilog: EPILOG,
  original: (pid, rest) => [
    ...(rest.some((word) => ENDS_ONCE.test(word)) ? [] : ['--live']),
    '--format',
    'original',
    ...(pid === undefined ? kernelUnlessChosen(rest) : ['--pid', pid]),
  ],
  run,
};

/** Without a process the original watched the kernel. */
const kernelUnlessChosen = (rest: readonly string[]) =>
  rest.some((word) => SELECTING.test(word)) ? [] : ['--kernel'];

async function run(
  options: Readonly<Record<string, unknown>>,
  context: CliContext,
): Promise<number> {
  const plan = planOf(options);
  refuseTerminal(plan, context);
  const given = context.loadConfig({ file: plan.config }).config.plugins[metadata.name]?.options;
  const { config } = context.loadConfig({
    file: plan.config,
    overrides: overridesOf(plan, context, given as Given | undefined),
  });
  refuseNobody(config.plugins[metadata.name]?.options);
  const alive = new Alive(plan.pids);
  const destination = destinationOf(plan.output, context.stdout);
  try {
    const hunt = new Hunt(plan, context, destination, alive);
    const walks = new Set<string>();
    const onStrategies = (report: StrategyReport) => {
      const note = walkNote(report);
      if (note !== undefined) walks.add(note);
    };
    const quiet = config.log.level === 'debug' ? {} : ({ silent: true } as const);
    const agent = await context.createAgent(config, { ...quiet, onStrategies });
    try {
      const { code, notes } = await hunt.run(agent);
      for (const note of [...walks, ...notes]) context.stderr.write(`mem-watcher: ${note}\n`);
      return code;
    } catch (error) {
      const status = statusOf(agent, metadata.name);
      throw status?.state === 'failed' ? failure(status) : error;
    } finally {
      await agent.stop();
    }
  } finally {
    await destination.close();
  }
}

function refuseTerminal({ format, output }: Plan, { stdout }: CliContext): void {
  if (output !== undefined || !isBinary(format) || stdout.isTTY !== true) return;
  throw new MemWatcherError('USAGE', `${format} is binary, and this is a terminal`, {
    hint: '--output FILE, or a pipe',
  });
}

/** Whom to watch is said here, or in the configuration. */
function refuseNobody(config: unknown): void {
  const { targets, kernel } = config as {
    readonly targets: readonly unknown[];
    readonly kernel: { readonly enabled: boolean };
  };
  if (targets.length > 0 || kernel.enabled) return;
  throw new MemWatcherError('USAGE', 'leaks: say whom to watch', {
    hint: '--pid, --executable, --container, --cgroup, --unit or --kernel',
  });
}
