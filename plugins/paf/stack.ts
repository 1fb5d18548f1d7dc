import type { KernelFrame } from '../../core/symbolize/kernel-frame.js';

/** What runs between the place that is probed and the program. */
const PROBE =
  /^(bpf_|__bpf_|perf_|trace_|__traceiter_|__probestub_|__do_trace_|kprobe_|kretprobe_|rethook_|arch_rethook_|ftrace_|__ftrace_)/;

/**
 * Without the innermost frames that are there only because we look: a tracepoint's, a probe's and
 * our own program's. Frames without a name stay, for nothing says whose they are.
 */
export function withoutProbe(frames: readonly KernelFrame[]): readonly KernelFrame[] {
  const first = frames.findIndex(
    ({ function: name, module }) =>
      name === undefined || !(module === 'bpf' || PROBE.test(name) || name.startsWith('bpf_')),
  );
  return first < 0 ? frames : frames.slice(first);
}
