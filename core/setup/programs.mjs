import { existsSync } from 'node:fs';

/** Where a program is, also one that only root has on its PATH. */
export function findProgram(name) {
  return `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
    .split(':')
    .filter((dir) => dir.startsWith('/'))
    .map((dir) => `${dir}/${name}`)
    .find((file) => existsSync(file));
}
