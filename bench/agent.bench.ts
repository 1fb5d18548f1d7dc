/**
 * The whole agent as a process, beside its peers: what one collection and export costs, and what
 * the default configuration costs over time. Each process runs alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collector, freePort } from '../test/e2e/collector.js';
import { collectorBinary, nodeExporterBinary } from '../test/e2e/real-parts.js';
import { LAUNCHER, withOurNode } from '../test/launcher.js';
import { ROOT } from '../test/vm/initramfs.js';
import type { BenchRow } from './bench.js';
import { crowd } from './crowd.js';
import { cpuMs, rssMb } from './usage.js';

export const title = 'the whole agent, 1,000 processes on the host';

const PROCESSES = 1000;
const WARM_UP_S = 6;
const PEER_S = 30;
const DEFAULT_S = 60;
const NODE_EXPORTER_COLLECTORS = ['meminfo', 'vmstat', 'zoneinfo', 'meminfo_numa'];

interface Cost {
  /** ms of CPU over the measured time. */
  readonly cpu: number;
  readonly rss: number;
}

export async function run(): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-bench-'));
  const disperse = await crowd(PROCESSES);
  try {
    return [...(await besideHostmetrics(dir)), ...(await onDefaults(dir))];
  } finally {
    disperse();
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Once a second, sent by OTLP to a real Collector: as shipped (the 50 largest processes, the others
 * as one), and with every process a series, as the peer has them. The peer sends nothing.
 */
async function besideHostmetrics(dir: string): Promise<BenchRow[]> {
  const file = join(dir, 'hostmetrics.yaml');
  writeFileSync(file, JSON.stringify(HOSTMETRICS));
  const peer = await measure(start(await collectorBinary(), ['--config', file]), PEER_S);
  const theirs = peer.cpu / PEER_S;
  const rows: BenchRow[] = [
    {
      name: 'hostmetrics receiver (process, memory), no export',
      value: theirs,
      unit: 'ms',
      note: `RSS ${peer.rss.toFixed(0)} MB`,
    },
  ];
  const selections = { 'as shipped': {}, 'every process': { top: 0 } };
  for (const [name, procstat] of Object.entries(selections)) {
    const agent = await exporting(dir, procstat);
    const ours = agent.cpu / PEER_S;
    rows.push(
      {
        name: `collection and export, ${name}`,
        value: ours,
        unit: 'ms',
        note: `RSS ${agent.rss.toFixed(0)} MB`,
      },
      {
        name: `times less than hostmetrics, ${name}`,
        value: theirs / ours,
        unit: '×',
        target: '≥ 10',
        met: theirs / ours >= 10,
      },
    );
  }
  return rows;
}

async function exporting(dir: string, procstat: object): Promise<Cost> {
  const collector = await Collector.start({ dir });
  const config = {
    interval: '1s',
    exporters: {
      otlp: { bench: { endpoint: collector.endpoint() } },
      prometheus: { enabled: false },
    },
    plugins: { procstat },
  };
  const cost = await measure(agentProcess(dir, config), PEER_S);
  await collector.stop();
  return cost;
}

const HOSTMETRICS = {
  receivers: {
    hostmetrics: {
      collection_interval: '1s',
      initial_delay: '0s',
      scrapers: { memory: {}, process: { mute_process_all_errors: true } },
    },
  },
  exporters: { debug: { verbosity: 'basic', sampling_initial: 0, sampling_thereafter: 1_000_000 } },
  service: {
    telemetry: { metrics: { level: 'none' }, logs: { level: 'error' } },
    pipelines: { metrics: { receivers: ['hostmetrics'], exporters: ['debug'] } },
  },
};

/** As shipped: every 10 s, the 50 largest processes, scraped as node_exporter is. */
async function onDefaults(dir: string): Promise<BenchRow[]> {
  const port = await freePort();
  const defaults = join(ROOT, 'config/agent.yaml');
  const env = { OTEL_EXPORTER_PROMETHEUS_PORT: String(port) };
  const agent = await measure(
    start(LAUNCHER, ['run', '--config', defaults], { dir, env }),
    DEFAULT_S,
    port,
  );
  const other = await freePort();
  const peer = await measure(
    start(await nodeExporterBinary(), [
      '--collector.disable-defaults',
      ...NODE_EXPORTER_COLLECTORS.map((name) => `--collector.${name}`),
      `--web.listen-address=127.0.0.1:${other}`,
    ]),
    DEFAULT_S,
    other,
  );
  const percent = (cost: Cost) => cost.cpu / (DEFAULT_S * 10);
  return [
    {
      name: 'default configuration, CPU of one core',
      value: percent(agent),
      unit: '%',
      target: '≤ 0.5',
      met: percent(agent) <= 0.5,
      note: `over ${DEFAULT_S} s, scraped every 10 s`,
    },
    {
      name: 'default configuration, RSS',
      value: agent.rss,
      unit: 'MB',
      target: '≤ 90',
      met: agent.rss <= 90,
    },
    {
      name: 'node_exporter (system memory only), CPU of one core',
      value: percent(peer),
      unit: '%',
      note: `RSS ${peer.rss.toFixed(0)} MB; ${NODE_EXPORTER_COLLECTORS.join(', ')}; no processes`,
    },
  ];
}

function agentProcess(dir: string, config: object): ChildProcess {
  const file = join(dir, 'agent.yaml');
  writeFileSync(file, JSON.stringify(config));
  return start(LAUNCHER, ['run', '--config', file]);
}

function start(
  file: string,
  args: readonly string[],
  options: { readonly dir?: string; readonly env?: NodeJS.ProcessEnv } = {},
): ChildProcess {
  return spawn(file, args, {
    cwd: options.dir,
    env: withOurNode({ ...process.env, ...options.env }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Lets it warm up, then takes its CPU and RSS over `seconds`; scraped every 10 s if it has a port. */
async function measure(child: ChildProcess, seconds: number, port?: number): Promise<Cost> {
  const pid = child.pid ?? -1;
  let said = '';
  child.stderr?.on('data', (data) => {
    said += data;
  });
  await sleep(WARM_UP_S * 1000);
  if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended at once: ${said}`);
  const before = cpuMs(pid);
  for (let passed = 0; passed < seconds; passed += 10) {
    if (port !== undefined) await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await sleep(10_000);
  }
  const cost = { cpu: cpuMs(pid) - before, rss: rssMb(pid) };
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
  return cost;
}
