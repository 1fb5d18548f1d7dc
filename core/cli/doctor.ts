import { join } from 'node:path';
import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load.js';
import type { AgentConfig } from '../config/schema.js';
import { type Check, type CheckStatus, readText } from '../doctor/check.js';
import { kernelChecks } from '../doctor/kernel-checks.js';
import { explainedCheck, failedCheck, objectCheck, startedCheck } from '../doctor/plugin-checks.js';
import { pluginCapabilityCheck, privilegeChecks } from '../doctor/privilege-checks.js';
import { describeError, MemWatcherError } from '../errors.js';
import type { KernelProfile, StrategyReport } from '../kernel/kernel.js';
import { permissionShortage } from '../kernel/permission.js';
import { readProfile } from '../kernel/profile.js';
import { RunningKernel } from '../kernel/running-kernel.js';
import { objectNames } from '../metadata.js';
import { type CliContext, ExitCode } from './context.js';
import { jsonLine } from './json.js';
import { btfOption, configOption, jsonOption, override } from './options.js';
import { plainStyle, type Style, styleFor } from './style.js';
import { harmless } from './text.js';

interface DoctorOptions {
  readonly config?: string;
  readonly btf?: string;
  readonly load: boolean;
  readonly json?: true;
}

/** What belongs together, in the order in which causes come before effects. */
interface Section {
  readonly title: string;
  readonly checks: readonly Check[];
}

export function registerDoctor(
  program: Command,
  context: CliContext,
  exit: (code: number) => void,
) {
  program
    .command('doctor')
    .helpGroup('The agent:')
    .summary('what this kernel and this user can do, and what to do about the rest')
    .description(
      'Looks at the kernel, its settings and the privileges, loads and attaches every enabled ' +
        'plugin and detaches it again, says which strategy was chosen and why the others were ' +
        'not, and sends an empty export to every endpoint. Exit code 1 if there is a problem.',
    )
    .addOption(configOption())
    .addOption(btfOption())
    .option('--no-load', 'load nothing into the kernel: strategies are judged by their facts')
    .addOption(
      jsonOption(
        'one check a line: check, status (ok, warn, fail, skip), value, detail, hint; of plugins also lacks, parts',
      ),
    )
    .action(async (options: DoctorOptions) => exit(await doctor(context, options)));
}

async function doctor(context: CliContext, options: DoctorOptions): Promise<number> {
  const { stdout, env } = context;
  const style = styleFor(stdout, env);
  const counts: Record<CheckStatus, number> = { ok: 0, warn: 0, fail: 0, skip: 0 };
  for await (const section of examine(context, options)) {
    for (const { status } of section.checks) counts[status]++;
    if (options.json) for (const check of section.checks) stdout.write(jsonLine(check));
    else stdout.write(renderSection(section, style));
  }
  if (!options.json) stdout.write(`${summary(counts)}\n`);
  return counts.fail > 0 ? ExitCode.failure : ExitCode.ok;
}

async function* examine(context: CliContext, options: DoctorOptions): AsyncGenerator<Section> {
  const { plugins, root, version } = context;
  const { loaded, check } = readConfig(context, options);
  const config = loaded?.config;
  yield { title: 'Configuration', checks: [check] };

  const { kernel, problems } = openKernel(config?.kernel.btf ?? options.btf);
  const { libbpfApi } = await import('../bpf/libbpf-api.js');
  const libbpfVersion = () => libbpfApi().version();
  const kernelSection = kernelChecks({ kernel, read: readText, libbpfVersion });
  yield { title: 'Kernel', checks: [...problems, ...kernelSection] };

  const folder = config?.kernel.profiles ?? join(root, 'config', 'kernel');
  const profiles = plugins
    .flatMap(({ metadata }) => objectNames(metadata))
    .map((name) => profileOf(folder, name));
  const known = profiles.filter((profile): profile is KernelProfile => 'strategies' in profile);
  const broken = profiles.filter((profile): profile is Check => 'check' in profile);
  const ownCapabilities = known.map((profile) => pluginCapabilityCheck(kernel, profile));
  yield {
    title: 'Privileges',
    checks: [...privilegeChecks(kernel, readText), ...ownCapabilities],
  };

  const idle = whyNotLoaded(options, config, kernel);
  const pluginChecks =
    idle === undefined && config !== undefined
      ? await startAll(context, config, kernel, known)
      : known.map((profile) => {
          const strategy = config?.plugins[profile.plugin]?.strategy ?? 'auto';
          return explainedCheck(kernel, profile, strategy, idle ?? '');
        });
  yield { title: 'Plugins', checks: [...broken, ...pluginChecks] };

  if (config === undefined) return;
  const { endpointChecks } = await import('../doctor/endpoint-checks.js');
  yield {
    title: 'Endpoints',
    checks: await endpointChecks(config.exporters, context.env, version),
  };
}

/** undefined if the plugins can be started; what stands in the way was said where it belongs. */
function whyNotLoaded(
  { load }: DoctorOptions,
  config: AgentConfig | undefined,
  kernel: RunningKernel,
): string | undefined {
  if (!load) return 'not loaded, as asked';
  if (config === undefined) return 'not loaded without a configuration';
  if (permissionShortage(kernel) !== undefined) return 'not loaded without the capabilities';
  return undefined;
}

/** A wrong configuration is one of the things to find; the kernel is looked at all the same. */
function readConfig(
  context: CliContext,
  { config, btf }: DoctorOptions,
): { loaded?: LoadedConfig; check: Check } {
  try {
    const overrides = override('--btf', btf, { kernel: { btf } });
    const loaded = context.loadConfig({ file: config, overrides });
    return { loaded, check: { check: 'configuration', status: 'ok', value: loaded.file } };
  } catch (error) {
    if (!(error instanceof MemWatcherError)) throw error;
    const { hint } = error;
    const detail = describeError(error);
    const value = 'plugins and endpoints are judged without it';
    return { check: { check: 'configuration', status: 'fail', value, detail, hint } };
  }
}

function openKernel(btfFile: string | undefined): { kernel: RunningKernel; problems: Check[] } {
  try {
    return { kernel: new RunningKernel({ btfFile }), problems: [] };
  } catch (error) {
    if (!(error instanceof MemWatcherError)) throw error;
    const { message: detail, hint } = error;
    const problem: Check = { check: 'btf_file', status: 'fail', value: `${btfFile}`, detail, hint };
    return { kernel: new RunningKernel(), problems: [problem] };
  }
}

function profileOf(folder: string, plugin: string): KernelProfile | Check {
  try {
    return readProfile(folder, plugin);
  } catch (error) {
    if (!(error instanceof MemWatcherError)) throw error;
    return failedCheck(plugin, error);
  }
}

/** Starts the agent as `run` would, keeps what it said, and stops it. */
async function startAll(
  context: CliContext,
  config: AgentConfig,
  kernel: RunningKernel,
  profiles: readonly KernelProfile[],
): Promise<Check[]> {
  const reports = new Map<string, StrategyReport>();
  let agent: Awaited<ReturnType<CliContext['createAgent']>>;
  try {
    agent = await context.createAgent(config, {
      silent: true,
      onStrategies: (report) => reports.set(report.plugin, report),
    });
  } catch (error) {
    // Of the kernel as a whole, for instance its BTF file: it is said there.
    return profiles.map(({ plugin }) => failedCheck(plugin, error));
  }
  try {
    await agent.start();
    return profiles.map((profile): Check => {
      const { plugin } = profile;
      const status = agent.statuses.find((candidate) => candidate.plugin === plugin);
      const wanted = config.plugins[plugin]?.strategy;
      if (status !== undefined) {
        return startedCheck(status, kernel, profile, reports.get(plugin), wanted);
      }
      // An object besides a plugin's own: loaded by the plugin, if it needs it at all.
      if (!context.plugins.some(({ metadata }) => metadata.name === plugin)) {
        return objectCheck(kernel, profile, reports.get(plugin));
      }
      return { check: `plugin.${plugin}`, status: 'skip', value: 'disabled in the configuration' };
    });
  } finally {
    await agent.stop();
  }
}

const MARKS: Readonly<Record<CheckStatus, readonly [mark: string, color: number]>> = {
  ok: ['✓', 32],
  warn: ['!', 33],
  fail: ['✗', 31],
  skip: ['–', 2],
};
const NAME_WIDTH = 26;

function renderSection({ title, checks }: Section, style: Style): string {
  const lines = checks.flatMap((check) => renderCheck(check, style));
  return `${style.bold(title)}\n${lines.map((line) => `${line}\n`).join('')}\n`;
}

function renderCheck({ check, status, value, detail, hint }: Check, style: Style): string[] {
  const [mark, color] = MARKS[status];
  const colored = style === plainStyle ? mark : `\x1b[${color}m${mark}\x1b[0m`;
  const indent = ' '.repeat(NAME_WIDTH + 5);
  const under = (text: string, prefix = '') =>
    text.split('\n').map((line) => `${indent}${prefix}${harmless(line)}`);
  return [
    `  ${colored} ${harmless(check).padEnd(NAME_WIDTH)} ${harmless(value)}`,
    ...(detail ? under(detail).map(style.dim) : []),
    ...(hint ? under(hint, '→ ') : []),
  ];
}

function summary({ fail, warn }: Readonly<Record<CheckStatus, number>>): string {
  const count = (number: number, one: string) => `${number} ${one}${number === 1 ? '' : 's'}`;
  const warnings = warn === 0 ? '' : `, ${count(warn, 'warning')}`;
  return `${fail === 0 ? 'No problem' : count(fail, 'problem')}${warnings}.`;
}
