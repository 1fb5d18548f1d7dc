/** The object of kit.bpf.c, for tests of the BPF host. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BpfObject } from '../../core/bpf/host.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { MemWatcherError } from '../../core/errors.js';

export const FILE = fileURLToPath(new URL('../../bpf/kit.bpf.o', import.meta.url));
export const host = createBpfHost();

/** An object with these programs, loaded; closed with the test. */
export function loaded(context: TestContext, ...programs: string[]): BpfObject {
  const object = host.open(FILE);
  context.after(() => object.close());
  object.selectPrograms(programs);
  object.load();
  return object;
}

/** As the kernel holds them. */
export function u64(...values: (number | bigint)[]): Uint8Array {
  return new Uint8Array(new BigUint64Array(values.map(BigInt)).buffer);
}

/** How often the programs of the object that count have run. */
export function hits(object: BpfObject): bigint {
  const bss = object.map('.bss').mapped();
  try {
    return new DataView(bss.bytes.buffer).getBigUint64(0, true);
  } finally {
    bss.close();
  }
}

/** For assert.throws: an error of ours with that code. */
export function code(code: string, message = /./) {
  return (error: unknown): boolean => {
    assert(error instanceof MemWatcherError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}
