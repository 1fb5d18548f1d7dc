/** Which BPF host a process uses: libbpf's, less what MEM_WATCHER_REFUSE refuses. */
import { MemWatcherError } from '../errors.js';
import { FEATURE_KINDS, parseFeature } from './feature.js';
import type { BpfHost } from './host.js';
import { createBpfHost } from './libbpf.js';
import { refusingHost } from './refusing-host.js';

/**
 * For trying a plugin without something that the kernel has: MEM_WATCHER_REFUSE is a list of features
 * as `program:iter/task helper:bpf_get_stack` (docs/development.md). CONFIG_INVALID if it is not.
 */
export function bpfHostFor(env: NodeJS.ProcessEnv): BpfHost {
  const host = createBpfHost();
  const ids = (env.MEM_WATCHER_REFUSE ?? '').split(/[\s,]+/).filter((id) => id !== '');
  if (ids.length === 0) return host;
  const refused = ids.map((id) => {
    const feature = parseFeature(id);
    if (feature) return feature;
    throw new MemWatcherError('CONFIG_INVALID', `MEM_WATCHER_REFUSE: ${id} names no feature`, {
      hint: `write ${FEATURE_KINDS.map((kind) => `${kind}:NAME`).join(', ')}`,
    });
  });
  return refusingHost(host, refused);
}
