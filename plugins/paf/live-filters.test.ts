/** What passes paf's filters on the running kernel, and is counted; what does not is not. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, UNKILLABLE, withExhausted } from '../../test/fakes/exhausted.js';
import { LivePlugin } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import {
  failuresOf,
  named,
  PIPE_OF_ORDER,
  PROGRAM,
  Pressure,
  press,
  pressureMissing,
} from '../../test/fakes/pressure.js';
import { paf } from './index.js';
import { counted, eventsOf, sumOf, told } from './live-truth.js';
import type { PafRecords } from './records.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
/** Of this run: other tests have processes of the same program. */
const NAME = `paf-${process.pid}`;
const FAILURES = ['pipe=7', `resize=${PIPE_OF_ORDER[2]}:5`];

describe('paf with filters', { skip, timeout: 600_000 }, () => {
  runAlone();

  it('counts the processes of one name alone', () =>
    withExhausted(async (group) => {
      const only = await LivePlugin.start<PafRecords>(paf, { config: { names: [NAME] } });
      try {
        const caused = press([...UNKILLABLE, 'pipes=40', named(NAME), group.enter, ...FAILURES]);
        const records = await only.until((seen) => counted(seen) >= failuresOf(caused) && seen);
        assert.equal(counted(records, 0), 7);
        assert.equal(counted(records, 2), 5);
        assert.equal(counted(records), 12);
        assert.equal(sumOf(await told(only, caused[0]?.pid, 12)), 12);
      } finally {
        await only.close();
      }
    }));

  it('tells of a program that a process of another name has become', () =>
    withExhausted(async (group) => {
      const folder = mkdtempSync(join(tmpdir(), 'paf-'));
      const program = join(folder, `became-${process.pid}`);
      copyFileSync(PROGRAM, program);
      const names = [basename(program)];
      const only = await LivePlugin.start<PafRecords>(paf, { config: { names } });
      try {
        const leave = `enter=${join(dirname(group.dir), 'cgroup.procs')}`;
        const fail = [...UNKILLABLE, 'pipes=40', group.enter];
        const caused = press([...fail, 'pipe=3', leave, `exec=${program}`, ...fail, 'pipe=2']);
        const events = await told(only, caused[0]?.pid, 2);
        assert.equal(sumOf(events), 2);
        assert.equal(counted(await only.collect()), 2);
      } finally {
        await only.close();
        rmSync(folder, { recursive: true });
      }
    }));

  it('tells of one process alone where it is asked to', () =>
    withExhausted(async (group) => {
      const steps = [...UNKILLABLE, 'pipes=40', group.enter, 'wait', 'pipe=4', 'wait'];
      const one = await Pressure.start(steps);
      const only = await LivePlugin.start<PafRecords>(paf, { config: { pids: [one.pid] } });
      try {
        const others = press([...UNKILLABLE, 'pipes=40', group.enter, 'pipe=6']);
        await one.next();
        assert.equal(sumOf(await told(only, one.pid, 4)), 4);
        assert.equal(counted(await only.collect()), 4);
        assert.deepEqual(eventsOf(only, others[0]?.pid), []);
      } finally {
        await one.stop();
        await only.close();
      }
    }));

  it('tells of one container alone where it is asked to', () => {
    const id = randomBytes(32).toString('hex');
    return withExhausted(async (group) => {
      const only = await LivePlugin.start<PafRecords>(paf, { config: { containers: [id] } });
      const outside = exhausted();
      try {
        press([...UNKILLABLE, 'pipes=40', outside.enter, 'pipe=6']);
        const inside = await Pressure.start([
          ...UNKILLABLE,
          'pipes=40',
          group.enter,
          'pipe=4',
          'wait',
        ]);
        const events = await told(only, inside.pid, 4).finally(() => inside.stop());
        assert.equal(sumOf(events), 4);
        assert.equal(counted(await only.collect()), 4);
      } finally {
        outside.remove();
        await only.close();
      }
    }, `docker/${id}`);
  });
});
