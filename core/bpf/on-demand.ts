/** A program of bpf/on-demand.bpf.h: whichever of its three forms was loaded. */
import type { LoadedBpf } from './host.js';

/** What the C side adds to the name for each way to run it. */
const FORMS = ['', '_syscall', '_iterator'];

/**
 * Runs the program `name` once and gives what it returned; undefined if it was loaded in none of its
 * forms. Throws BPF_RUN_FAILED if the kernel does not run it.
 */
export function onDemand({ object, programs, links }: LoadedBpf, name: string) {
  const form = FORMS.map((suffix) => `${name}${suffix}`).find((each) => programs.includes(each));
  if (form === undefined) return undefined;
  const iterator = links.get(form);
  if (iterator === undefined) return (): number => object.run(form).retval;
  return (): number => {
    const bytes = iterator.readAll();
    if (bytes.length < 4) return 0;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(0, true);
  };
}
