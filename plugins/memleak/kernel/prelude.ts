/**
 * The innermost frames of a kernel stack that are there only because we look: our program, the
 * tracepoint, and the allocator itself. Told by where those functions lie, which one pass over
 * /proc/kallsyms finds. Where the kernel hides addresses, stacks keep them.
 */
interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

const TRACING =
  /^(?:__)?(?:bpf_trace_run\d+|bpf_trace_|traceiter_|probestub_|do_trace_|trace_event_raw_event_|perf_trace_|perf_call_bpf_)|^trace_call_bpf|^perf_trace_run_bpf/;
const ALLOCATOR =
  /^_*(?:alloc_pages?|alloc_frozen_pages|folio_alloc|get_free_pages?|get_zeroed_page|alloc_pages_exact|make_alloc_exact|pcpu_alloc|alloc_percpu|kmalloc|kzalloc|kvmalloc|kmem_cache_alloc|kmalloc_large|alloc_large)(?:_(?:noprof|node|bulk|mpol|nodemask|exact|track_caller|cache|large|lru|gfp|slowpath|current|vma|buf|array|nolock))*(?:\.\w+)*$/;

export class Prelude {
  readonly #text: Range | undefined;
  readonly #ranges: readonly Range[];

  /** `kallsyms`: the file's text. */
  constructor(kallsyms: string) {
    const bound = (name: string) => addressOf(kallsyms, name);
    const [start, end] = [bound('_stext'), bound('_etext')];
    this.#text = start && end && end > start ? { start, end } : undefined;
    this.#ranges = this.#text ? rangesOf(kallsyms, this.#text) : [];
  }

  /** The frames from the allocator's caller on; all of them if it is not among them. */
  strip(frames: readonly bigint[]): readonly bigint[] {
    const text = this.#text;
    if (text === undefined) return frames;
    const first = frames.findIndex((frame, n) => this.#isCaller(frame, text, n));
    return first <= 0 ? frames : frames.slice(first);
  }

  /** A BPF program lies outside of the kernel's text, as a module does that calls the allocator. */
  #isCaller(frame: bigint, text: Range, n: number): boolean {
    if (frame < text.start || frame >= text.end) return n > 1;
    return !this.#ranges.some(({ start, end }) => frame > start && frame <= end);
  }
}

function addressOf(kallsyms: string, name: string): bigint | undefined {
  const line = new RegExp(`^([0-9a-f]+) . ${name}$`, 'm').exec(kallsyms);
  return line ? BigInt(`0x${line[1]}`) : undefined;
}

/** Where those functions lie: up to the symbol that follows. The file is in the order of addresses. */
function rangesOf(kallsyms: string, text: Range): Range[] {
  const ranges: Range[] = [];
  const [first, last] = [hex(text.start), hex(text.end)];
  let open: string | undefined;
  for (const [, address = '', name = ''] of kallsyms.matchAll(/^([0-9a-f]+) [tTwW] (\S+)$/gm)) {
    if (address < first || address >= last) continue;
    if (open !== undefined && address > open) {
      ranges.push({ start: BigInt(`0x${open}`), end: BigInt(`0x${address}`) });
      open = undefined;
    }
    if (TRACING.test(name) || ALLOCATOR.test(name)) open = address;
  }
  if (open !== undefined) ranges.push({ start: BigInt(`0x${open}`), end: text.end });
  return ranges;
}

/** As the file has it, so that the order of texts is that of numbers. */
const hex = (address: bigint) => address.toString(16).padStart(16, '0');
