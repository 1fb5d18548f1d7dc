/**
 * Since 6.2 a part of each process's pages is counted by CPU (resident.h): the map `cpus` says which
 * CPUs to ask, and where each keeps its part.
 */
import type { BpfObject, LoadedBpf } from '../../core/bpf/host.js';
import { MemWatcherError } from '../../core/errors.js';

/** The part of the profile. */
const PART = 'cpu-parts';
const FIND = 'find_cpu_offset';

export class CpuParts {
  readonly #object: BpfObject;
  /** CPUs that have still to say where they keep their part. */
  readonly #silent: Set<number>;

  /** `cpus`: the numbers of all possible ones. */
  constructor({ object, parts }: LoadedBpf, cpus: readonly number[]) {
    this.#object = object;
    const way = parts.get(PART);
    this.#silent = new Set(way === 'each-cpu' ? cpus : []);
    if (way === 'helper' || way === 'symbol') for (const cpu of cpus) this.#makePossible(cpu);
  }

  /** Before each pass: a CPU that was off line may have come. */
  update(): void {
    for (const cpu of this.#silent) if (hasSpoken(this.#object, cpu)) this.#silent.delete(cpu);
  }

  /** `struct cpu` of resident.h, first member: CPU numbers may have holes, and BPF cannot see them. */
  #makePossible(cpu: number): void {
    const map = this.#object.map('cpus');
    const value = new Uint8Array(map.spec.valueSize);
    value[0] = 1;
    map.update(new Uint8Array(new Uint32Array([cpu]).buffer), value);
  }
}

/** Throws if the way that was chosen finds nothing after all. */
export function verifyCpuParts({ object, parts }: LoadedBpf): void {
  if (parts.get(PART) !== 'each-cpu') return;
  const program = FIND;
  if (object.run(program).retval !== 0) return;
  throw new MemWatcherError('BPF_RUN_FAILED', 'the offset of no CPU was found', { program });
}

/** What is off line cannot be asked, and has no part of anything: the kernel adds it up before. */
function hasSpoken(object: BpfObject, cpu: number): boolean {
  try {
    return object.run(FIND, { cpu }).retval !== 0;
  } catch (error) {
    if (error instanceof MemWatcherError && error.code === 'BPF_RUN_FAILED') return false;
    throw error;
  }
}
