import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Btf } from '../../core/bpf/btf.js';
import { structLayout } from '../../core/bpf/struct.js';
import { assertGolden, recordingsOf } from '../../test/fakes/golden.js';
import { ProcstatDecoder } from './decoder.js';
import { layouts } from './records.js';

const ROOT = join(import.meta.dirname, '../../..');
const TESTDATA = join(ROOT, 'plugins/procstat/testdata');
const OBJECT = join(ROOT, 'dist/bpf/procstat.bpf.o');

/**
 * Passes as kernels wrote them, cut to three processes: one with four threads, one whose leader has
 * exited, one with a hostile name. On 5.10 threads hold pages back.
 */
describe('procstat goldens', () => {
  for (const { name, bytes, golden } of recordingsOf(TESTDATA, ['linux-5.10', 'linux-6.18'])) {
    it(name, (context) => {
      const bootTime = Date.parse('2026-01-01T00:00:00Z');
      const decoded = new ProcstatDecoder(layouts, { pageSize: 4096, bootTime }).decode(bytes);
      assert.ok(decoded.processes.length > 0);
      assertGolden(context, golden, decoded);
    });
  }

  it('are laid out as the object is', (t) => {
    if (!existsSync(OBJECT)) return t.skip('the BPF object is not built: make -C bpf');
    const btf = Btf.ofObject(readFileSync(OBJECT));
    for (const layout of [layouts.process, layouts.thread]) {
      assert.deepEqual(flat(structLayout(btf, layout.name)), flat(layout));
    }
  });
});

/** Names of nested structs are paths in the one and not in the other. */
const flat = (layout: object): unknown =>
  JSON.parse(
    JSON.stringify(layout, (key, value) => (key === 'name' && isStruct(value) ? '' : value)),
  );

const isStruct = (name: unknown) => typeof name === 'string' && /procstat_|\./.test(name);
