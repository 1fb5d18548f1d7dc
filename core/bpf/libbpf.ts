import { MemWatcherError } from '../errors.js';
import type { BpfHost, BpfObject, OpenOptions } from './host.js';
import { libbpfApi } from './libbpf-api.js';
import { listening, listenToLibbpf } from './libbpf-log.js';
import { LibbpfObject } from './libbpf-object.js';
import { errnoText } from './refusal.js';

/** struct bpf_object_open_opts of libbpf 1.0. */
const OPEN_SIZE = 80;
const BTF_CUSTOM_PATH = 48;

let host: BpfHost | undefined;

/**
 * BPF by the system's libbpf.so.1, which also raises RLIMIT_MEMLOCK where the kernel counts BPF
 * memory as locked. BPF_LIBRARY_MISSING if the library is absent.
 */
export function createBpfHost(): BpfHost {
  if (host) return host;
  const api = libbpfApi();
  listenToLibbpf(api);
  host = {
    open(file: string, { btfFile, log }: OpenOptions = {}): BpfObject {
      const opts = new DataView(new ArrayBuffer(OPEN_SIZE));
      opts.setBigUint64(0, BigInt(OPEN_SIZE), true);
      const path = textBytes(btfFile ?? '');
      if (btfFile !== undefined) opts.setBigUint64(BTF_CUSTOM_PATH, api.addressOf(path), true);
      return listening(log, (warnings) => {
        const pointer = api.open(file, new Uint8Array(opts.buffer));
        if (pointer !== null) return new LibbpfObject(api, file, pointer, log);
        const message = `cannot open the BPF object ${file}: ${errnoText(api.errno())}`;
        throw new MemWatcherError('BPF_OPEN_FAILED', message, {
          hint: 'build it with `make -C bpf`',
          detail: warnings.join('\n'),
        });
      });
    },
  };
  return host;
}

/** Outside V8's heap, so that the address holds still during a call. */
function textBytes(text: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  const bytes = new Uint8Array(new ArrayBuffer(encoded.length + 1));
  bytes.set(encoded);
  return bytes;
}
