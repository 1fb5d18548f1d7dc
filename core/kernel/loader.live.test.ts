/** Strategies tried on the running kernel, with the object that core/bpf is tested with. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LoadedBpf } from '../bpf/host.js';
import { createBpfHost } from '../bpf/libbpf.js';
import { silentLogger } from '../logger.js';
import type { Choice, Part, Strategy, StrategyReport } from './kernel.js';
import { type BpfLoaderOptions, createBpfLoader } from './loader.js';
import { permissionShortage } from './permission.js';
import { RunningKernel } from './running-kernel.js';

const object = (name: string) => fileURLToPath(new URL(`../../bpf/${name}.bpf.o`, import.meta.url));
const VMLINUX = '/sys/kernel/btf/vmlinux';
const kernel = new RunningKernel();
const shortage =
  permissionShortage(kernel)?.message ?? (kernel.btfPath ? undefined : 'the kernel has no BTF');

const strategy = (name: string, program: string, more: Partial<Strategy> = {}): Strategy => ({
  name,
  summary: name,
  programs: [program],
  ...more,
});

let report: StrategyReport | undefined;
function load(strategies: readonly Strategy[], more: Partial<BpfLoaderOptions> = {}): LoadedBpf {
  return createBpfLoader({
    host: createBpfHost(),
    kernel,
    profile: { plugin: 'kit', strategies },
    objectFile: object('kit'),
    strategy: 'auto',
    logger: silentLogger,
    onReport: (told) => {
      report = told;
    },
    ...more,
  }).load();
}

const bpfFds = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /bpf/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // the descriptor of this very listing
    }
  }).length;

describe('on the running kernel', shortage === undefined ? {} : { skip: shortage }, () => {
  const REFUSED = strategy('refused', 'refused', { attach: [] });
  const ABSENT = strategy('absent', 'absent');
  const UNHOOKED = strategy('unhooked', 'raw', { hooks: { raw: 'no_such_tracepoint' } });
  const LACKING = strategy('lacking', 'raw', { needs: [{ btf_type: 'no_such_type' }] });
  const WORKING = strategy('working', 'traced');

  it('the verifier, a missing hook and a missing fact each lead to the next strategy', () => {
    const before = bpfFds();
    const loaded = load([REFUSED, ABSENT, UNHOOKED, LACKING, WORKING]);
    assert.equal(loaded.strategy, 'working');
    const held = bpfFds();
    void loaded.close();
    assert.equal(bpfFds(), before, 'something was left open');
    const alone = load([WORKING]);
    assert.equal(bpfFds(), held, 'a rejected strategy left something open');
    void alone.close();
  });

  it('the reasons are the kernel’s own', () => {
    void load([REFUSED, UNHOOKED, LACKING, WORKING]).close();
    const reasons = report?.verdicts.map((verdict) => verdict.reasons.join('\n')) ?? [];
    assert.match(reasons[0] ?? '', /invalid mem access 'map_value_or_null'/);
    assert.match(reasons[1] ?? '', /no_such_tracepoint/);
    assert.equal(reasons[2], 'lacks type no_such_type');
  });

  it('a constant is what BTF says', () => {
    const size = Number(kernel.resolve({ size_of: 'task_struct' }));
    const constants = { offset: { size_of: 'task_struct' }, factor: { value: 3 } };
    const loaded = load([strategy('computing', 'compute', { attach: [], constants })]);
    try {
      const context = new Uint8Array(new BigUint64Array([1000n]).buffer);
      assert.equal(loaded.object.run('compute', { context }).retval, 3000 + size);
    } finally {
      void loaded.close();
    }
  });

  it('BTF of a file serves as well', (test) => {
    if (!existsSync(VMLINUX)) return test.skip(`${VMLINUX} is not there`);
    const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-loader-'));
    try {
      const btfFile = join(folder, 'vmlinux');
      copyFileSync(VMLINUX, btfFile);
      const loaded = load([strategy('tasks', 'each_task')], {
        kernel: new RunningKernel({ btfFile }),
        btfFile,
      });
      const rows = loaded.links.get('each_task')?.readAll() ?? new Uint8Array();
      const view = new DataView(rows.buffer, rows.byteOffset);
      const pids = Array.from({ length: rows.length / 24 }, (_, n) => view.getUint32(n * 24, true));
      assert(pids.includes(process.pid), 'the iterator did not see this process');
      void loaded.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const choice = (program: string, more: Partial<Choice> = {}): Choice => ({
    name: program,
    summary: program,
    programs: [program],
    ...more,
  });
  const part = (name: string, ...choices: Choice[]): Part => ({
    name,
    summary: name,
    lacks: [name],
    choices,
  });
  const IMPOSSIBLE = choice('with_impossible_map', { maps: ['impossible'] });
  const OWN = choice('with_own_map', { maps: ['own'], constants: { with_own: { value: 2 } } });

  function loadParts(...parts: Part[]): LoadedBpf {
    const strategies = [strategy('alone', 'strategy', { attach: [] })];
    const profile = { plugin: 'parts', strategies, parts };
    return load(strategies, { profile, objectFile: object('parts') });
  }

  it('parts that the kernel refuses in every way leave the others and the strategy', () => {
    const before = bpfFds();
    const loaded = loadParts(
      part('unverified', choice('unverifiable', { maps: ['own'] })),
      part('unloaded', choice('unloadable')),
      part('good', IMPOSSIBLE, OWN),
      part('unattached', choice('unattachable')),
    );
    try {
      assert.deepEqual([...loaded.parts], [['good', 'with_own_map']]);
      assert.deepEqual(loaded.lacks, ['unverified', 'unloaded', 'unattached']);
      assert.deepEqual([...loaded.links.keys()], ['with_own_map']);
      assert.deepEqual(
        loaded.object.maps
          .map(({ name }) => name)
          .filter((name) => !name.startsWith('.') && name !== 'stats'),
        ['own'],
      );
      assert.equal(loaded.object.run('strategy').retval, 42, 'the part’s constant was not set');
    } finally {
      void loaded.close();
    }
    assert.equal(bpfFds(), before, 'something was left open');
    const reasons = Object.fromEntries(
      report?.parts.map(({ part, verdicts }) => [part, verdicts[0]?.reasons.join('\n') ?? '']) ??
        [],
    );
    assert.match(reasons.unverified ?? '', /invalid mem access 'map_value_or_null'/);
    assert.match(reasons.unloaded ?? '', /no_such_tracepoint/);
    assert.match(reasons.good ?? '', /impossible/);
    assert.match(reasons.unattached ?? '', /no_such_tracepoint/);
  });

  it('without its part a map that no kernel can make is in nobody’s way', () => {
    const loaded = loadParts(
      part('impossible', { ...IMPOSSIBLE, needs: [{ btf_type: 'no_such_type' }] }),
    );
    assert.equal(loaded.object.run('strategy').retval, 40);
    assert.deepEqual(loaded.lacks, ['impossible']);
    void loaded.close();
  });
});
