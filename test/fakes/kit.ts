/** The object of kit.bpf.c, for tests of the BPF host. */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BpfObject } from '../../core/bpf/host.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';

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
  const global = object.global('hits');
  try {
    return global.get();
  } finally {
    global.close();
  }
}
