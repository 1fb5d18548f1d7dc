/** What was built from what: a stamp is a hash of the inputs, kept beside the outputs. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

export const readStamp = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

export function writeStamp(file, stamp) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, stamp);
}

export function hashFiles(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 32);
}

/** Names, sizes and times of the files that match: quicker than their content, and as telling. */
export function hashTree(roots, pattern) {
  const hash = createHash('sha256');
  for (const root of roots) {
    for (const file of filesUnder(root)) {
      if (!pattern.test(file)) continue;
      const { size, mtimeMs } = statSync(file);
      hash.update(`${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex').slice(0, 32);
}

/** A test whose source was deleted must not run on. */
export function removeStaleOutputs(out, root, sources) {
  for (const dir of sources) {
    for (const file of filesUnder(join(out, dir))) {
      const source = join(root, relative(out, file)).replace(/\.js(\.map)?$/, '.ts');
      if (/\.js(\.map)?$/.test(file) && !existsSync(source)) rmSync(file);
    }
  }
  const objects = join(out, 'bpf');
  const programs = new Set(
    sources
      .flatMap((dir) => filesUnder(join(root, dir)))
      .filter((file) => file.endsWith('.bpf.c'))
      .map((file) => basename(file, '.bpf.c')),
  );
  for (const file of filesUnder(objects)) {
    if (file.endsWith('.bpf.o') && !programs.has(basename(file, '.bpf.o'))) rmSync(file);
  }
}

function filesUnder(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory() ? filesUnder(join(dir, entry.name)) : [join(dir, entry.name)],
    );
}
