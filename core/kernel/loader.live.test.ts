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
import type { Strategy, StrategyReport } from './kernel.js';
import { type BpfLoaderOptions, createBpfLoader } from './loader.js';
import { permissionShortage } from './permission.js';
import { RunningKernel } from './running-kernel.js';

const KIT = fileURLToPath(new URL('../../bpf/kit.bpf.o', import.meta.url));
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
    objectFile: KIT,
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
});
