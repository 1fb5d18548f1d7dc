/** paf in a storm of failures, and of processes that are gone: no count is lost. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { missedRuns } from '../../core/bpf/stats.js';
import { runAlone } from '../../test/fakes/alone.js';
import { exhaust, exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import { type LiveOptions, LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import {
  type Caused,
  failuresOf,
  PIPE_OF_ORDER,
  Pressure,
  press,
  pressureMissing,
} from '../../test/fakes/pressure.js';
import { paf } from './index.js';
import { attribute, counted, countOf, eventsOf, type LivePaf, sumOf, told } from './live-truth.js';
import type { PafRecords } from './records.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
const isGuest = process.env.MEM_WATCHER_VM !== undefined;
/** Of each of two processes. A guest is emulated: what takes 60 us here takes milliseconds there. */
const STORM = isGuest ? 400 : 10_000;
const EVENTS_PER_SECOND = 10;
const ENTER = [...UNKILLABLE, 'pipes=40'];

describe('paf under load', { skip, timeout: 600_000 }, () => {
  runAlone();

  const withPlugin = (options: LiveOptions, test: (live: LivePaf) => Promise<void>) =>
    LivePlugin.with<PafRecords>(paf, options, test);

  it('loses no failure of a storm, and tells of them in few events', async (t) => {
    const id = randomBytes(32).toString('hex');
    const config = { containers: [id], window: '100ms', events_per_second: EVENTS_PER_SECOND };
    const group = MemoryCgroup.make({ path: `docker/${id}` });
    try {
      await withPlugin({ config }, async (live) => {
        const began = performance.now();
        let caused: readonly Caused[] = [];
        const cost = await runTimeOf(live, async () => {
          caused = await storm(group);
        });
        const took = performance.now() - began;
        const failures = failuresOf(caused);
        assert.equal(failures, 2 * (STORM + 1));
        // Newer kernels may preempt a program, and leave out runs of others meanwhile: they count them.
        const missed = () => missedRuns(live.loaded.object, live.loaded.programs);
        const records = await live.until((seen) => counted(seen) >= failures - missed() && seen);
        const lost = failures - counted(records);
        assert.ok(lost >= 0 && lost <= missed(), `${lost} are lost, ${missed()} are said to be`);
        await live.until(() => sumOf(live.events) >= failures - lost);
        assert.equal(sumOf(live.events), failures - lost);
        const { totals } = await live.collect();
        assert.equal(totals.folded, failures - lost - live.events.length);
        assert.equal(totals.overflowed, 0);
        const seconds = (performance.now() - began) / 1000;
        const bound = (seconds + 1) * EVENTS_PER_SECOND;
        assert.ok(live.events.length <= bound, `${live.events.length} events`);
        checkOthers(live, caused, lost);
        assert.deepEqual(live.self.losses, { ...live.self.losses, ringDrops: 0, mapFull: 0 });
        t.diagnostic(
          `${Math.round((failures / took) * 1000)} failures/s, ${live.events.length} events, ` +
            `${Math.round(cost / failures)} ns of BPF a failure`,
        );
      });
    } finally {
      group.remove();
    }
  });

  it('knows processes that are gone, whatever they were called', () =>
    withPlugin({ config: { window: '100ms' } }, async (live) => {
      for (const name of HOSTILE) {
        const group = exhausted();
        const [caused] = press([...ENTER, `name=${name.toString('hex')}`, group.enter, 'pipe=2']);
        group.remove();
        const events = await told(live, caused?.pid, 2);
        assert.equal(sumOf(events), 2);
        for (const { attributes, body } of events) {
          assert.equal(attributes['process.executable.name'], 'pressure');
          assert.equal(attributes['thread.name'], name.toString('utf8'));
          assert.ok(body.includes('pressure'));
        }
      }
    }));
});

const STATISTICS = '/proc/sys/kernel/bpf_stats_enabled';

/** Nanoseconds that the plugin's programs ran meanwhile, by the kernel's own account. */
async function runTimeOf({ loaded }: LivePaf, work: () => Promise<void>): Promise<number> {
  const was = readFileSync(STATISTICS, 'utf8');
  const spent = () =>
    loaded.programs.reduce((sum, name) => sum + loaded.object.programInfo(name).runTimeNs, 0);
  writeFileSync(STATISTICS, '1');
  try {
    const before = spent();
    await work();
    return spent() - before;
  } finally {
    writeFileSync(STATISTICS, was);
  }
}

/** At most 15 bytes each. */
const HOSTILE = [
  Buffer.from('\n\r\t\u001b[31mred'),
  Buffer.from('%s%n%x{{}}$1`'),
  Buffer.from([0x66, 0xff, 0xfe, 0x80, 0x01, 0x7f]),
  Buffer.from('"\\\',;=|ü'),
];

/**
 * Two processes at a time, which have the same group, stack and flags in common. Both have found
 * their way into it before there is nothing to be had any more.
 */
async function storm(group: MemoryCgroup): Promise<Caused[]> {
  const size = isGuest ? PIPE_OF_ORDER[4] : PIPE_OF_ORDER[2];
  const steps = [
    ...ENTER,
    group.enter,
    'hold=8',
    'wait',
    'pipe=1',
    `resize=${size}:${STORM}`,
    'wait',
  ];
  const both = await Promise.all([Pressure.start(steps), Pressure.start(steps)]);
  try {
    exhaust(group);
    return (await Promise.all(both.map((one) => one.next()))).flat();
  } finally {
    for (const one of both) await one.stop();
  }
}

/** What an event says of its own process and of others adds up as well. */
function checkOthers(live: LivePaf, caused: readonly Caused[], lost: number): void {
  const pids = [...new Set(caused.map(({ pid }) => pid))];
  const own = new Map(pids.map((pid) => [pid, 0]));
  for (const event of eventsOf(live, ...pids)) {
    const pid = Number(event.attributes['process.pid']);
    const others = Number(attribute(event, 'failure.other_processes') ?? 0);
    own.set(pid, (own.get(pid) ?? 0) + countOf(event) - others);
    for (const other of pids) if (other !== pid) own.set(other, (own.get(other) ?? 0) + others);
  }
  for (const pid of pids) {
    const more = failuresOf(caused.filter((one) => one.pid === pid)) - (own.get(pid) ?? 0);
    assert.ok(more >= 0 && more <= lost, `${more} of ${pid} are not told`);
  }
}
