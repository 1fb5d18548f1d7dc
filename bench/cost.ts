/** The same questions of paf and pr: what a workload costs more with the plugin, by strategy. */
import type { BpfLink, BpfObject } from '../core/bpf/host.js';
import { createBpfHost } from '../core/bpf/libbpf.js';
import { MemWatcherError } from '../core/errors.js';
import { findInstallation } from '../core/install.js';
import { explain } from '../core/kernel/loader.js';
import { readProfile } from '../core/kernel/profile.js';
import { RunningKernel } from '../core/kernel/running-kernel.js';
import { type AttachedOptions, AttachedPlugin } from './attached.js';
import type { BenchRow } from './bench.js';
import { interleave, percentOf } from './interleave.js';
import { Workload } from './workload.js';

export const TARGET_PERCENT = 1;

const ROUNDS = 60;
const FAULT_PAGES = 1024;
const FAULT_PASSES = 6;
const MIB = 2 ** 20;

/** Reads of a file of no data beyond what a container may have: every page costs little but to be reclaimed. */
export const READS = {
  container: { name: 'reads beyond 256 MiB', size: 512 * MIB, limit: 256 * MIB },
  pages: {
    name: 'reads of single pages beyond 256 MiB',
    size: 512 * MIB,
    limit: 256 * MIB,
    how: 'pick',
  },
  /** So small that the kernel looks at a few pages at a time: an episode is as cheap as can be. */
  tiny: { name: 'reads beyond 16 MiB', size: 32 * MIB, limit: 16 * MIB },
} as const;

/** What is done again and again, and how it is called. */
export interface Load {
  readonly name: string;
  readonly workload: Workload;
  readonly passes: number;
  /** Pages that a pass touches. */
  readonly pages: number;
}

export async function faultLoad(): Promise<Load> {
  const workload = await Workload.faults(FAULT_PAGES);
  return { name: 'page faults', workload, passes: FAULT_PASSES, pages: FAULT_PAGES };
}

export async function readLoad({
  name,
  ...options
}: (typeof READS)[keyof typeof READS]): Promise<Load> {
  const workload = await Workload.reads(options);
  return { name, workload, passes: 1, pages: options.size / 4096 };
}

/** ns of CPU that the work takes by itself, a page. */
export async function baseline({ name, workload, passes, pages }: Load): Promise<BenchRow> {
  await workload.run(passes);
  const { cpu, wall } = await workload.run(passes * 10);
  const each = passes * 10 * pages;
  const note = `${(wall / each).toFixed(0)} ns by the clock`;
  return { name: `${name}: the work itself`, value: cpu / each, unit: 'ns/page', note };
}

/** CPU of the workload with it, over that without, percent more. */
export async function added(
  load: Load,
  name: string,
  on: () => () => void,
  target?: number,
): Promise<BenchRow> {
  const { workload, passes } = load;
  const measure = async () => (await workload.run(passes)).cpu;
  const figure = percentOf(await interleave({ rounds: ROUNDS, on, measure }));
  const judged = target === undefined ? {} : { target: `≤ ${target}`, met: figure.value <= target };
  return { name: `${load.name}: ${name}`, unit: '% CPU', ...figure, ...judged };
}

/** As the agent would run it; without what it sees. */
export async function addedByPlugin(
  load: Load,
  plugin: string,
  name: string,
  options: AttachedOptions = {},
  target?: number,
): Promise<BenchRow> {
  const attached = await AttachedPlugin.start(plugin, options);
  try {
    attached.detach();
    const on = () => {
      attached.attach();
      return () => attached.detach();
    };
    return await added(load, `${name} (${attached.loaded.strategy})`, on, target);
  } finally {
    await attached.close();
  }
}

/** Facts can hold where the kernel refuses after all: its reasons instead of figures. */
export async function ifItLoads(
  strategy: string,
  measure: () => Promise<BenchRow[]>,
): Promise<BenchRow[]> {
  try {
    return await measure();
  } catch (error) {
    if (!(error instanceof MemWatcherError) || error.code !== 'NO_STRATEGY') throw error;
    return [notHere(strategy, error.detail ?? error.message)];
  }
}

const notHere = (strategy: string, why: string): BenchRow => ({
  name: `strategy ${strategy}`,
  value: Number.NaN,
  unit: '',
  note: `not on this kernel, only in the matrix: ${why.split('\n')[0]}`,
});

/** Programs of bench-floor.bpf.c, which do nothing. */
export class Floor {
  readonly object: BpfObject;

  constructor() {
    const installation = findInstallation(import.meta.url);
    this.object = createBpfHost().open(installation.bpfObject('bench-floor'));
    this.object.load();
  }

  on(...programs: readonly string[]): () => void {
    const links: BpfLink[] = programs.map((program) => this.object.attach(program));
    return () => {
      for (const link of links) link.close();
    };
  }

  close(): void {
    this.object.close();
  }
}

/** The strategies that this kernel has the facts for; of the others, what it lacks. */
export function strategiesOf(plugin: string): { can: string[]; cannot: BenchRow[] } {
  const { profiles } = findInstallation(import.meta.url);
  const { verdicts } = explain(new RunningKernel(), readProfile(profiles, plugin));
  const of = (rejected: boolean) =>
    verdicts.filter(({ outcome }) => (outcome === 'rejected') === rejected);
  return {
    can: of(false).map(({ strategy }) => strategy),
    cannot: of(true).map(({ strategy, reasons }) => notHere(strategy, reasons[0] ?? '')),
  };
}
