/** One collection of sysstat: the kernel's part, ours, and what /proc costs for the same. */
import 'reflect-metadata';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { findInstallation } from '../core/install.js';
import { createBpfLoader } from '../core/kernel/loader.js';
import { readProfile } from '../core/kernel/profile.js';
import { RunningKernel } from '../core/kernel/running-kernel.js';
import { silentLogger } from '../core/logger.js';
import { Scope } from '../core/scope.js';
import { PointBatchBuilder } from '../core/telemetry/points.js';
import { readTruth } from '../plugins/sysstat/live-truth.js';
import { metadata } from '../plugins/sysstat/metadata.js';
import { Sysstat } from '../plugins/sysstat/plugin.js';
import { report } from '../plugins/sysstat/report.js';
import { type BenchRow, median } from './bench.js';

export const title = 'sysstat, one collection';

const ROUNDS = 400;
const TARGET_MS = 1;

export async function run(): Promise<BenchRow[]> {
  const scope = new Scope();
  try {
    const plugin = startPlugin(scope);
    const whole = timeOf(() => {
      const out = new PointBatchBuilder(metadata);
      report(plugin.collect(), out);
      out.build(0, 0);
    });
    const records = timeOf(() => plugin.collect());
    const proc = timeOf(() => readTruth());
    return [
      {
        name: 'read, decoded, as metric points',
        value: whole,
        unit: 'ms',
        target: `≤ ${TARGET_MS}`,
        met: whole <= TARGET_MS,
      },
      { name: 'read and decoded', value: records, unit: 'ms' },
      { name: 'the same from /proc and /sys in Node', value: proc, unit: 'ms' },
      { name: 'times less', value: proc / records, unit: '×' },
    ];
  } finally {
    await scope.close();
  }
}

function startPlugin(scope: Scope): Sysstat {
  const installation = findInstallation(import.meta.url);
  const loader = createBpfLoader({
    host: createBpfHost(),
    kernel: new RunningKernel(),
    profile: readProfile(installation.profiles, metadata.name),
    objectFile: installation.bpfObject(metadata.name),
    strategy: 'auto',
    logger: silentLogger,
  });
  const quiet = () => undefined;
  const health = {
    degraded: quiet,
    clear: quiet,
    lacks: quiet,
    fullness: quiet,
    decodeErrors: quiet,
    cgroupsGone: quiet,
  };
  const plugin = new Sysstat(scope, metadata.config.parse({}), loader, health);
  plugin.start();
  return plugin;
}

/** Milliseconds: the middle of many. */
function timeOf(work: () => unknown): number {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    work();
    times.push(performance.now() - began);
  }
  return median(times);
}
