import { MemWatcherError } from '../errors.js';
import type { BpfClosable } from './host.js';
import type { LibbpfApi } from './libbpf-api.js';
import { errnoText } from './refusal.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Memory shared with the kernel. */
export interface Mapping extends BpfClosable {
  /** Live. Empty once closed: a late reader gets nothing, not a fault. */
  readonly buffer: ArrayBuffer;
  close(): void;
}

/** Maps `length` bytes of a BPF map from `offset`. BPF_MAP_FAILED if the kernel refuses. */
export function mapMemory(
  api: LibbpfApi,
  map: { readonly fd: number; readonly name: string },
  range: { readonly length: number; readonly offset: number; readonly writable: boolean },
): Mapping {
  const { length, offset } = range;
  const protection = range.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const address = api.mmap(null, length, protection, MAP_SHARED, map.fd, offset);
  if (address === null || address === MAP_FAILED) {
    throw new MemWatcherError(
      'BPF_MAP_FAILED',
      `cannot map ${length} bytes of the map ${map.name}: ${errnoText(api.errno())}`,
    );
  }
  const buffer = api.view(address, length);
  let open = true;
  return {
    buffer,
    close() {
      if (!open) return;
      open = false;
      buffer.transfer(0);
      api.munmap(address, length);
    },
  };
}
