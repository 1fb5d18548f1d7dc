import type { LoadedBpf } from '../../../core/bpf/host.js';

/** What the threads of a process have in their registers. */
export interface Registers {
  /** As they are; most are no addresses. */
  readonly words: readonly bigint[];
  readonly threads: number;
  /** Threads whose registers could not be read. */
  readonly unread: number;
}

/** undefined where the part `registers` was not loaded. */
export function registersOf({ object, links }: LoadedBpf, pid: number): Registers | undefined {
  const link = links.get('registers') ?? links.get('registers_on_stack');
  if (link === undefined) return undefined;
  const of = object.global('registers_of');
  try {
    of.set(pid);
  } finally {
    of.close();
  }
  const layout = object.layout('ml_registers');
  const place = (name: string) => layout.fields.find((field) => field.name === name)?.offset ?? 0;
  const bytes = link.readAll();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: bigint[] = [];
  let unread = 0;
  for (let at = 0; at < bytes.length; at += layout.size) {
    const count = view.getUint32(at + place('count'), true);
    if (count === 0) unread++;
    for (let n = 0; n < count; n++)
      words.push(view.getBigUint64(at + place('words') + n * 8, true));
  }
  return { words, threads: bytes.length / layout.size, unread };
}
