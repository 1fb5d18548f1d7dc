/**
 * On a running kernel: everything that sysstat says against /proc and /sys, by every strategy that
 * the kernel can do. MEM_WATCHER_STRATEGY=name asks for one, which then must work.
 */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { BpfLoader, BpfObject } from '../../core/bpf/host.js';
import type { StructLayout } from '../../core/bpf/layout.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { MemWatcherError } from '../../core/errors.js';
import { findInstallation } from '../../core/install.js';
import { createBpfLoader, explain } from '../../core/kernel/loader.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { Scope } from '../../core/scope.js';
import {
  batchBytes,
  type Figures,
  figuresOf,
  onlineNodes,
  populatedZones,
  readFiles,
  readTruth,
  truthOf,
} from './live-truth.js';
import type { SysstatRecords } from './memory.js';
import { metadata } from './metadata.js';
import { Sysstat } from './plugin.js';

const MiB = 2 ** 20;
/** A figure is right if it is within bounds in this many of the rounds. */
const ROUNDS = 12;
const MUST_HOLD = 9;
const HOOK_INTERVAL_MS = 1;
/** Allocations in a row that a hook may miss. */
const MISSES = 5;

const installation = findInstallation(import.meta.url);
const profile = readProfile(installation.profiles, metadata.name);
const kernel = new RunningKernel();
const forced = process.env.MEM_WATCHER_STRATEGY;

for (const { name } of profile.strategies) {
  if (forced !== undefined && forced !== name) continue;
  const title = `sysstat on this kernel by ${name}`;
  const reason = refusal(name);
  if (reason !== undefined) {
    // A test, not a suite: only tests are counted as skipped.
    it(title, { skip: reason });
    continue;
  }
  describe(title, () => {
    const scope = new Scope();
    // Hooks read nothing before an allocation passes.
    const passTheHook = name.startsWith('allocation-') ? allocateAPage : () => undefined;
    let plugin: Sysstat;

    /** What a hook has read once: the one program of a CPU may be busy, and then misses an allocation. */
    const startReading = (within: Scope, ...given: StartArgs): Sysstat => {
      const started = startPlugin(within, ...given);
      for (let tries = 1; ; tries++) {
        passTheHook();
        try {
          started.collect();
          return started;
        } catch (error) {
          if (tries === MISSES || !String(error).includes('has passed the hook yet')) throw error;
        }
      }
    };

    before(() => {
      plugin = startReading(scope, loaderFor(name));
    });
    after(() => scope.close());

    it('agrees with vmstat, zoneinfo, meminfo and the nodes', () => {
      const wrong = disagreements(passTheHook, () => plugin.collect());
      assert.deepEqual(wrong, []);
    });

    it('sees every node and every zone that has memory, and no other', () => {
      passTheHook();
      const { nodes } = plugin.collect();
      const zones = nodes.flatMap(({ id, zones }) =>
        zones.map((zone) => `node ${id} ${zone.name}`),
      );
      const truth = readTruth();
      assert.deepEqual(zones.sort(), populatedZones(truth));
      const withMemory = onlineNodes().filter((id) => (truth.get(`node ${id} MemTotal`) ?? 0) > 0);
      assert.deepEqual(
        nodes.map(({ id }) => id),
        withMemory,
      );
    });

    it('leaves out what this kernel does not count, and nothing else', () => {
      passTheHook();
      const { host } = plugin.collect();
      const truth = readTruth();
      for (const [field, vmstat] of [
        ['writebackTemp', 'nr_writeback_temp'],
        ['nfsUnstable', 'nr_unstable'],
        ['dirty', 'nr_dirty'],
        ['anonHugePages', 'nr_anon_transparent_hugepages'],
      ] as const) {
        // Since 5.8 vmstat prints nr_unstable as a constant 0, without a counter behind it.
        const counted = field !== 'nfsUnstable' && truth.has(`vmstat ${vmstat}`);
        assert.equal(host[field] !== undefined, counted, field);
      }
    });

    it('sees shared memory grow by what is written to a tmpfs', () => {
      const file = `/dev/shm/mem-watcher-${process.pid}`;
      const slack = batchBytes() + MiB;
      // Batches grow with the CPUs: what is written must stand out of them.
      const content = Buffer.alloc(Math.max(8 * MiB, 4 * slack), 1);
      const shmem = () => {
        passTheHook();
        return plugin.collect().host.shmem ?? 0;
      };
      const growth = () => {
        const before = shmem();
        try {
          writeFileSync(file, content);
          return shmem() - before;
        } finally {
          rmSync(file, { force: true });
        }
      };
      const isRight = (bytes: number) => Math.abs(bytes - content.length) <= slack;
      const grown: number[] = [];
      // Others write to a tmpfs too, but not every time.
      while (grown.length < 5 && !grown.some(isRight)) grown.push(growth());
      assert.ok(grown.some(isRight), `grew by ${grown.join(', ')} bytes`);
    });

    it('shows only the nodes that are asked for', async () => {
      const [last = 0] = onlineNodes().slice(-1);
      const filtered = new Scope();
      try {
        const other = startReading(filtered, loaderFor(name), { nodes: [last] });
        const { nodes, managed } = other.collect();
        assert.deepEqual(
          nodes.map(({ id }) => id),
          [last],
        );
        assert.equal(managed, plugin.collect().managed);
      } finally {
        await filtered.close();
      }
    });

    it('would fail if the decoder read its neighbours', async () => {
      const broken = new Scope();
      try {
        const shifted = startReading(broken, shiftItems(loaderFor(name)));
        const wrong = disagreements(passTheHook, () => shifted.collect());
        assert.ok(wrong.length >= 10, `only ${wrong.length} figures were found wrong`);
      } finally {
        await broken.close();
      }
    });
  });
}

/** Why the strategy cannot be tested here; undefined if it can, and therefore must work. */
function refusal(name: string): string | undefined {
  const verdict = explain(kernel, profile).verdicts.find(({ strategy }) => strategy === name);
  // The first is what every kernel from 5.10 on must do.
  const mandatory = name === forced || name === profile.strategies[0]?.name;
  if (mandatory) return undefined;
  if (verdict?.outcome === 'rejected') return `this kernel ${verdict.reasons.join('; ')}`;
  const scope = new Scope();
  try {
    startPlugin(scope, loaderFor(name));
    return undefined;
  } catch (error) {
    const reason = error instanceof MemWatcherError ? (error.detail ?? error.message) : '';
    // A policy may refuse what the facts allow (lockdown); any other refusal is a failure.
    if (/not permitted|EPERM/i.test(reason)) return reason.split('\n', 1)[0] ?? reason;
    throw error;
  } finally {
    void scope.close();
  }
}

function loaderFor(strategy: string): BpfLoader {
  return createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile,
    objectFile: installation.bpfObject(metadata.name),
    strategy,
    logger: silentLogger,
  });
}

type StartArgs = [loader: BpfLoader, given?: { nodes?: number[] }];

function startPlugin(scope: Scope, ...[loader, given = {}]: StartArgs): Sysstat {
  const config = metadata.config.parse({ hook_interval: `${HOOK_INTERVAL_MS}ms`, ...given });
  const quiet = () => undefined;
  const health = {
    degraded: assert.fail,
    clear: quiet,
    lacks: quiet,
    fullness: quiet,
    decodeErrors: quiet,
    cgroupsGone: quiet,
  };
  const plugin = new Sysstat(scope, config, loader, health);
  plugin.start();
  return plugin;
}

/**
 * Figures that are out of bounds, with what they are and should be. We read between two readings
 * of the truth, so a figure lies between them, or beyond by no more than a batch; what comes and
 * goes in between (a process starts and ends) may break that in some rounds, not in most.
 */
function disagreements(passTheHook: () => void, collect: () => SysstatRecords): string[] {
  const slack = batchBytes();
  const held = new Map<string, number>();
  const last = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round++) {
    const filesBefore = readFiles();
    passTheHook();
    const records = collect();
    const filesAfter = readFiles();
    const [before, ours, after] = [truthOf(filesBefore), figuresOf(records), truthOf(filesAfter)];
    for (const [name, value] of ours) {
      const bounds = boundsOf(name, before, after, slack);
      if (bounds === undefined) continue;
      const [low, high] = bounds;
      const holds = value >= low && value <= high;
      held.set(name, (held.get(name) ?? 0) + Number(holds));
      if (!holds) last.set(name, `${name}: ${value} is not in ${low}..${high}`);
    }
  }
  assert.ok(held.size >= 60, `only ${held.size} figures could be compared`);
  return [...held].flatMap(([name, count]) => (count < MUST_HOLD ? (last.get(name) ?? name) : []));
}

function boundsOf(name: string, before: Figures, after: Figures, slack: number) {
  const [a, b] = [before.get(name), after.get(name)];
  if (a === undefined || b === undefined) return undefined;
  return [Math.min(a, b) - slack, Math.max(a, b) + slack] as const;
}

/** Memory that is never given back: freed, it would itself be what comes and goes. */
const reserve = Buffer.allocUnsafeSlow(512 * MiB);
let touched = 0;

/** Makes the kernel allocate a page, or a huge one, when hooks are ready to read again. */
function allocateAPage(): void {
  const ready = performance.now() + 2 * HOOK_INTERVAL_MS;
  while (performance.now() < ready);
  assert.ok(touched < reserve.length, 'the reserve is used up');
  reserve[touched] = 1;
  touched += 2 * MiB;
}

/** The same object, whose items are taken one place too far. */
function shiftItems(loader: BpfLoader): BpfLoader {
  const shift = (layout: StructLayout): StructLayout => ({
    ...layout,
    fields: layout.fields.map((field) => {
      if (field.name !== 'items' || field.type.kind !== 'struct') return field;
      const { fields } = field.type.layout;
      const moved = fields.map((item, n) => ({
        ...item,
        offset: fields[(n + 1) % fields.length]?.offset ?? 0,
      }));
      return {
        ...field,
        type: { kind: 'struct', layout: { ...field.type.layout, fields: moved } },
      };
    }),
  });
  return {
    load: (options) => {
      const loaded = loader.load(options);
      const { object } = loaded;
      const shifted: Pick<BpfObject, 'layout' | 'map' | 'run'> = {
        layout: (struct) => shift(object.layout(struct)),
        map: (map) => object.map(map),
        run: (program) => object.run(program),
      };
      return { ...loaded, object: shifted as BpfObject };
    },
  };
}
