/** Which tracepoints this process has programs on, by the kernel's own account of its links. */
import { readdirSync, readFileSync } from 'node:fs';

const LINK = /^link_type:\traw_tracepoint$/m;
const NAME = /^tp_name:\t(\S+)$/m;

/** A link that is not pinned lives as long as its descriptor: there are no others of ours. */
export function rawTracepoints(): ReadonlySet<string> {
  const names = new Set<string>();
  for (const descriptor of readdirSync('/proc/self/fdinfo')) {
    const text = textOf(descriptor);
    const name = LINK.test(text) ? NAME.exec(text)?.[1] : undefined;
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** The descriptor by which the directory was read is gone. */
function textOf(descriptor: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1');
  } catch {
    return '';
  }
}
