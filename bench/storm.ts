/** Allocations that fail one after the other, and what paf costs each of them. */
import { exhausted, UNKILLABLE } from '../test/fakes/exhausted.js';
import { MemoryCgroup } from '../test/fakes/memory-cgroup.js';
import { failuresOf, PIPE_OF_ORDER, Pressure, pressureMissing } from '../test/fakes/pressure.js';
import { AttachedPlugin } from './attached.js';
import type { BenchRow } from './bench.js';
import { runTimeOf, totalOf } from './bpf-statistics.js';
import { interleave, percentOf } from './interleave.js';

const FAILURES = 1000;
const ROUNDS = 20;
const MEASURED = 20;
const PER_SECOND = 100_000;

/** `hotNs`: what a run takes for an allocation that is granted. */
export async function storm(hotNs: number): Promise<BenchRow[]> {
  const missing = pressureMissing() ?? MemoryCgroup.missing();
  if (missing !== undefined) throw new Error(missing);
  const group = exhausted();
  const attached = await AttachedPlugin.start('paf');
  // Waiting may free a page or two: they are taken before what is measured.
  const failing = ['pipe=1', `resize=${PIPE_OF_ORDER[2]}:${FAILURES}`, 'wait'];
  const turns = (ROUNDS + 1) * 60 + MEASURED;
  const pressure = await Pressure.start([
    ...UNKILLABLE,
    'pipes=40',
    group.enter,
    'pipe=1',
    'wait',
    ...Array.from({ length: turns }, () => failing).flat(),
  ]);
  try {
    const turn = async () => {
      const caused = (await pressure.next()).filter(({ step }) => step === 'resize');
      if (failuresOf(caused) !== FAILURES) throw new Error('not every allocation failed');
      return caused.reduce((sum, { began, ended }) => sum + ended - began, 0);
    };
    const inside = await runTimeOf(attached.loaded.object, attached.attached, async () => {
      for (let n = 0; n < MEASURED; n++) await turn();
    });
    const { runs, ns } = totalOf(inside);
    const failures = (FAILURES + 1) * MEASURED;
    const each = (ns - (runs - failures) * hotNs) / failures;
    attached.detach();
    const on = () => {
      attached.attach();
      return () => attached.detach();
    };
    let alone = Number.POSITIVE_INFINITY;
    const ratio = await interleave({
      rounds: ROUNDS,
      on,
      measure: async () => {
        const took = await turn();
        alone = Math.min(alone, took / FAILURES);
        return took;
      },
    });
    return [
      { name: 'a failure: the kernel’s own work, at best', value: alone, unit: 'ns' },
      { name: 'a failure: in paf', value: each, unit: 'ns', note: 'stack, fold and its details' },
      {
        name: `${PER_SECOND / 1000}k failures/s: in paf, of one CPU`,
        value: (each * PER_SECOND) / 1e7,
        unit: '%',
      },
      { name: 'a storm takes longer by', unit: '%', ...percentOf(ratio) },
      { name: `events told of ${failures} and more failures`, value: attached.events, unit: '' },
    ];
  } finally {
    await pressure.stop();
    await attached.close();
    group.remove();
  }
}
