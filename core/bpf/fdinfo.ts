import { readFileSync } from 'node:fs';

/** What the kernel tells of a file descriptor of our own, by its own names. */
export function fdInfo(fd: number): ReadonlyMap<string, number> {
  const lines = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('\n');
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), Number(line.slice(colon + 1))];
    }),
  );
}
