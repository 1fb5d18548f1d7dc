/** paf on the running kernel, against who caused the failures and against the kernel's own files. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { PINNED, withExhausted } from '../../test/fakes/exhausted.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import {
  failuresOf,
  PIPE_OF_ORDER,
  Pressure,
  press,
  pressureMissing,
} from '../../test/fakes/pressure.js';
import { NO_PAGE, Tracing } from '../../test/fakes/tracing.js';
import { paf } from './index.js';
import {
  attribute,
  blocksOf,
  counted,
  functionsOf,
  type LivePaf,
  memoryLineOf,
  startOf,
  sumOf,
  told,
  zonesOf,
} from './live-truth.js';
import type { PafRecords } from './records.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
const noTracing = Tracing.missing('kmem/mm_page_alloc') ?? false;

/** Seven failures of order 0, five of order 2. */
const FAILURES = ['pipe=7', `resize=${PIPE_OF_ORDER[2]}:5`];

describe('paf on the running kernel', { skip, timeout: 600_000 }, () => {
  runAlone();

  let live: LivePaf;
  before(async () => {
    live = await LivePlugin.start<PafRecords>(paf, { config: { window: '100ms' } });
  });
  after(() => live.close());

  it('tells of as many failures of each order as there were', () =>
    withExhausted(async (group) => {
      const caused = press([...PINNED, 'pipes=40', group.enter, ...FAILURES]);
      const events = await told(live, caused[0]?.pid, failuresOf(caused));
      const ofOrder = (order: number) =>
        sumOf(events.filter((event) => attribute(event, 'order') === order));
      assert.deepEqual([ofOrder(0), ofOrder(2), sumOf(events)], [7, 5, 12]);
    }));

  it('tells of what the kernel’s own tracer saw', { skip: noTracing }, () =>
    withExhausted(async (group) => {
      const tracing = new Tracing({ events: { 'kmem/mm_page_alloc': NO_PAGE } });
      try {
        const before = counted(await live.collect());
        const [caused] = press([...PINNED, 'pipes=40', group.enter, 'pipe=50']);
        const ended = counted(await live.collect());
        tracing.stop();
        const traced = tracing.read().filter(({ tid }) => tid === caused?.pid);
        assert.equal(traced.length, 50);
        assert.equal(sumOf(await told(live, caused?.pid, 50)), 50);
        assert.ok(ended - before >= 50);
      } finally {
        tracing.close();
      }
    }),
  );

  it('says who asked: process, thread, start, cgroup and container', () => {
    const id = randomBytes(32).toString('hex');
    return withExhausted(async (group) => {
      const steps = [...PINNED, 'pipes=40', group.enter, 'pipe=3', 'wait'];
      const pressure = await Pressure.start(steps);
      try {
        const { pid } = pressure;
        const [event] = await told(live, pid, 3);
        assert.ok(event);
        const { attributes } = event;
        assert.equal(attributes['process.pid'], pid);
        assert.equal(attributes['process.executable.name'], 'pressure');
        assert.equal(attributes['container.id'], id);
        assert.equal(attributes['process.linux.cgroup'], memoryLineOf(pid));
        assert.equal(attributes['thread.id'], undefined);
        const { time, within } = startOf(pid);
        const created = Date.parse(String(attributes['process.creation.time']));
        assert.ok(Math.abs(created - time) <= within, `${created} is not ${time}`);
      } finally {
        await pressure.stop();
      }
    }, `docker/${id}`);
  });

  it('says which thread of the process it was', () =>
    withExhausted(async (group) => {
      const steps = ['thread=1', 'name=776f726b6572', group.enter, 'pipe=2', 'wait'];
      const pressure = await Pressure.start([...PINNED, 'pipes=40', ...steps]);
      try {
        const [event] = await told(live, pressure.pid, 2);
        assert.equal(event?.attributes['thread.name'], 'worker');
        assert.notEqual(event?.attributes['thread.id'], pressure.pid);
        assert.equal(event?.attributes['process.executable.name'], 'pressure');
      } finally {
        await pressure.stop();
      }
    }));

  it('says what was asked for, as the kernel prints it', { skip: noTracing }, () =>
    withExhausted(async (group) => {
      const tracing = new Tracing({ events: { 'kmem/mm_page_alloc': NO_PAGE } });
      try {
        const caused = press([...PINNED, 'pipes=40', group.enter, ...FAILURES]);
        tracing.stop();
        const pid = caused[0]?.pid;
        const traced = tracing.read().filter(({ tid }) => tid === pid);
        for (const event of await told(live, pid, 12)) {
          const truth = traced.find(
            ({ fields }) => Number(fields.order) === attribute(event, 'order'),
          );
          assert.ok(truth);
          const flags = String(attribute(event, 'gfp_flags'));
          assert.deepEqual(sorted(flags), sorted(truth.fields.gfp_flags));
          // Nothing that this process is in takes flags away; but where the host has cpusets, one
          // may have added __GFP_HARDWALL, of which GFP_HIGHUSER is made as well.
          const requested = attribute(event, 'requested.gfp_flags');
          if (requested !== undefined) assert.deepEqual(sorted(requested), sorted(flags));
          else assert.deepEqual(attribute(event, 'scopes'), ['cpuset']);
          assert.equal(attribute(event, 'migrate_type'), 'unmovable');
        }
      } finally {
        tracing.close();
      }
    }),
  );

  it('says when: within the time in which it failed', () =>
    withExhausted(async (group) => {
      const began = Date.now();
      const [caused] = press([...PINNED, 'pipes=40', group.enter, 'pipe=3']);
      const ended = Date.now();
      const [event] = await told(live, caused?.pid, 3);
      const last = Date.parse(String(attribute(event ?? assert.fail(), 'failure.last')));
      // The wall clock of ISO 8601 has no more than milliseconds.
      assert.ok((event?.time ?? 0) >= began - 1 && last <= ended + 1);
      assert.ok(last + 1 >= (event?.time ?? 0));
    }));

  it('says why: the limit of its cgroup, with the figures', () =>
    withExhausted(async (group) => {
      const steps = [...PINNED, 'pipes=40', group.enter, 'pipe=3', 'wait'];
      const pressure = await Pressure.start(steps);
      try {
        for (const event of await told(live, pressure.pid, 3)) {
          assert.equal(attribute(event, 'reason'), 'memcg_limit');
          assert.equal(attribute(event, 'memcg'), group.path);
          assert.equal(attribute(event, 'memcg.counter'), 'memory');
          assert.equal(attribute(event, 'memcg.limit'), 64);
          assert.equal(attribute(event, 'memcg.usage'), 64);
        }
      } finally {
        await pressure.stop();
      }
    }));

  it('has the zones of the node as zoneinfo and buddyinfo have them', () =>
    withExhausted(async (group) => {
      const events = await told(
        live,
        press([...PINNED, 'pipes=40', group.enter, 'pipe=1'])[0]?.pid,
        1,
      );
      const [event] = events;
      assert.ok(event);
      const node = Number(attribute(event, 'node'));
      const truth = zonesOf(node);
      const names = attribute(event, 'zones') as readonly string[];
      assert.deepEqual([...names].sort(), [...truth.keys()].sort());
      const figures = (name: string) => attribute(event, `zones.${name}`) as readonly number[];
      for (const [n, name] of names.entries()) {
        const zone = truth.get(name) ?? assert.fail();
        for (const key of ['min', 'low', 'high', 'present', 'managed'] as const) {
          assert.equal(figures(key)[n], zone[key], `${name} ${key}`);
        }
        const free = figures('free')[n] ?? -1;
        // Others take and give memory all the time.
        assert.ok(free >= 0 && Math.abs(free - zone.free) <= zone.managed / 8, `${name} ${free}`);
        assert.ok(zone.protection.includes(figures('kept')[n] ?? -1), `${name} kept`);
      }
      const blocks = attribute(event, 'free_blocks') as readonly number[];
      const zone = names.at(-1) ?? '';
      assert.equal(blocks.length, blocksOf(node, zone).length);
      const pages = blocks.reduce((sum, count, order) => sum + count * 2 ** order, 0);
      const free = figures('free').at(-1) ?? 0;
      // Free pages that a CPU keeps at hand are on no list.
      assert.ok(Math.abs(pages - free) <= (truth.get(zone)?.managed ?? 0) / 8, `${pages} ${free}`);
    }));

  it('has the stack of who asked', () =>
    withExhausted(async (group) => {
      const [caused] = press([...PINNED, 'pipes=40', group.enter, 'pipe=1']);
      const [event] = await told(live, caused?.pid, 1);
      const frames = functionsOf(event ?? assert.fail());
      const at = (pattern: RegExp) => frames.findIndex((frame) => pattern.test(frame));
      const [allocator, write, call] = [at(/alloc_/), at(/pipe_write/), at(/sys_write|do_syscall/)];
      assert.ok(allocator >= 0 && write > allocator && call > write, frames.join('\n'));
      // What runs only because we look is not in it, unless it came without names.
      const isNamed = !String(event?.attributes['code.stacktrace']).startsWith('0x');
      if (isNamed) assert.ok(frames.every((frame) => !/^(bpf_|__bpf|trace_)/.test(frame)));
    }));
});

const sorted = (flags: unknown): string[] => String(flags).split('|').sort();
