/** Which kind of test a built file holds, by its name. */

/** A load makes it long: storms, a million allocations, the corpus of leaks. */
export const isStress = (file) => file.endsWith('.stress.test.js');

/** It loads BPF programs, starts an agent, or measures or loads the machine. */
export const isLive = (file) =>
  file.endsWith('.live.test.js') ||
  /\/(plugins|conformance)\/(.*\/)?live[^/]*\.test\.js$/.test(file);

/**
 * Live tests that no other test may run beside, by the reason: how their paths begin. The others
 * look at processes, cgroups and maps of their own, and two of their files run at a time.
 */
export const ALONE = {
  'counts, causes or compares what the whole host does': [
    'core/identity/who.',
    'core/memory/zones.',
    'plugins/paf/',
    'plugins/pr/',
    'plugins/procstat/live.',
    'plugins/sysstat/',
    'test/fakes/pressure.',
  ],
  'traces allocations of the kernel, which every load of BPF makes': [
    'plugins/memleak/live-kernel.',
    'plugins/memleak/live-kernel-growth.',
  ],
  'chooses the next pid of the host, which any new process may take': [
    'plugins/memleak/targets/processes.',
  ],
};
const BEGINNINGS = Object.values(ALONE).flat();

export const isAlone = (file) =>
  isLive(file) && BEGINNINGS.some((beginning) => file.startsWith(`dist/${beginning}`));
