/** Live memory with a real writer: a BPF program on another CPU counts while we read. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CarryingWriter } from '../../test/fakes/carrying-writer.js';
import { createBpfHost } from './libbpf.js';
import { LiveArray, LiveColumns } from './live-columns.js';

const FILE = fileURLToPath(new URL('../../bpf/carry.bpf.o', import.meta.url));

it('counters of a BPF program are read whole, and in the order in which it wrote them', async () => {
  const object = createBpfHost().open(FILE);
  // Many system calls, each of which runs the program.
  const child = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { stdio: 'ignore' });
  try {
    object.load();
    const memory = object.map('counters').mapped();
    const layout = object.layout('carry_counter');
    const columns = new LiveColumns(layout, memory);
    const [carries, ahead, behind] = ['carries', 'ahead', 'behind'].map((name) =>
      columns.column(name),
    );
    assert.ok(carries && ahead && behind);
    new LiveArray(memory).storeU64(offsetOf('tgid'), BigInt(child.pid ?? 0));
    object.attach('carry');
    const torn = new Set<number>();
    let older = 0;
    await CarryingWriter.watch(() => {
      const value = carries.at(0);
      if (!CarryingWriter.isWhole(value)) torn.add(value);
      const steps = behind.at(0);
      if (ahead.at(0) < steps) older++;
      return value;
    });
    assert.deepEqual([...torn], []);
    assert.equal(older, 0);

    function offsetOf(name: string): number {
      return layout.fields.find((field) => field.name === name)?.offset ?? assert.fail(name);
    }
  } finally {
    object.close();
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});
