/** paf by every strategy that this kernel can do: the same failures, the same counts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, PINNED } from '../../test/fakes/exhausted.js';
import { LivePlugin, strategiesOf } from '../../test/fakes/live-plugin.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import {
  failuresOf,
  named,
  PIPE_OF_ORDER,
  Pressure,
  pressureMissing,
} from '../../test/fakes/pressure.js';
import { paf } from './index.js';
import { attribute, counted, functionsOf, type LivePaf, sumOf, told } from './live-truth.js';
import type { PafRecords } from './records.js';

const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
const strategies = skip === false ? await strategiesOf(paf) : [];
const NAME = `paf-${process.pid}`;
const FAILURES = ['pipe=6', `resize=${PIPE_OF_ORDER[2]}:4`];

describe('paf by strategy', { skip, timeout: 600_000 }, () => {
  runAlone();

  for (const { name, lack } of strategies) {
    it(`${name}: counts, order, flags, process and stack`, { skip: lack ?? false }, async () => {
      // Other tests have processes of the same program.
      const config = { names: [NAME] };
      const live = await LivePlugin.start<PafRecords>(paf, { config, strategy: name });
      const group = exhausted();
      const steps = [...PINNED, 'pipes=40', named(NAME), group.enter, 'wait', ...FAILURES, 'wait'];
      const pressure = await Pressure.start(steps);
      try {
        assert.equal(live.report?.chosen, name);
        const failures = failuresOf(await pressure.next());
        assert.equal(failures, 10);
        if (name === 'warn-alloc') await seesNothing(live);
        else await seesAll(live, name, pressure.pid, failures);
      } finally {
        await pressure.stop();
        group.remove();
        await live.close();
      }
    });
  }
});

async function seesAll(live: LivePaf, name: string, pid: number, failures: number) {
  const events = await told(live, pid, failures);
  assert.equal(sumOf(events), failures);
  assert.equal(counted(await live.collect()), failures);
  const ofOrder = (order: number) => events.filter((event) => attribute(event, 'order') === order);
  assert.deepEqual([sumOf(ofOrder(0)), sumOf(ofOrder(2))], [6, 4]);
  for (const event of events) {
    assert.equal(attribute(event, 'reason'), 'memcg_limit', JSON.stringify(event));
    assert.match(String(attribute(event, 'gfp_flags')), /ACCOUNT/);
    assert.match(functionsOf(event).join('\n'), stackBy(name));
    if (!name.startsWith('allocator')) continue;
    // The pair of hooks is told the caller's own flags, and the node.
    assert.match(String(attribute(event, 'requested.gfp_flags')), /ACCOUNT/);
    assert.equal(attribute(event, 'node.source'), 'request');
  }
}

/** The refusal of a cgroup does not pass warn_alloc, and this strategy's summary says so. */
async function seesNothing(live: LivePaf) {
  assert.equal(counted(await live.collect()), 0);
  assert.deepEqual(live.events, []);
}

/** Behind a return probe, kernels that have __alloc_pages_nodemask see nothing of the stack. */
const stackBy = (strategy: string): RegExp =>
  strategy === 'allocator-nodemask-kprobe'
    ? /kretprobe_trampoline/
    : /pipe_(write|fcntl|resize)|set_size/;
