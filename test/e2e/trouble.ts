/** A failed allocation and some reclaim: what is told only of hosts on which it happened. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exhausted, UNKILLABLE } from '../fakes/exhausted.js';
import { MemoryCgroup } from '../fakes/memory-cgroup.js';
import { Pressure, pressureMissing } from '../fakes/pressure.js';

const MIB = 2 ** 20;

/** `dir`: a folder of the test's own. */
export async function trouble(dir: string): Promise<void> {
  const missing = pressureMissing() ?? MemoryCgroup.missing();
  if (missing !== undefined) throw new Error(missing);
  const file = join(dir, 'sparse');
  writeFileSync(file, '');
  truncateSync(file, 32 * MIB);
  await within(exhausted(), [...UNKILLABLE, 'pipes=40'], ['pipe=1']);
  await within(MemoryCgroup.make({ limit: 16 * MIB }), [], [`read=${file}`]);
}

async function within(
  group: MemoryCgroup,
  before: readonly string[],
  steps: readonly string[],
): Promise<void> {
  try {
    const pressure = await Pressure.start([...before, group.enter, ...steps, 'wait']);
    await pressure.stop();
  } finally {
    group.remove();
  }
}
