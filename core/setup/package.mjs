/**
 * Puts what runs, and nothing else, into dist/package: the agent as one file and its children as others, the BPF objects, the
 * configuration and koffi. For the image and for packages:
 *
 *   npm run package && dist/package/core/mem-watcher doctor
 */
import { cpSync, existsSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { CHILD_BUNDLES, path } from './paths.mjs';

const OUT = path('dist/package');
const NATIVE = `koffi-${process.platform}-${process.arch}`;

const copy = (from, filter) =>
  cpSync(path(from), `${OUT}/${from}`, { recursive: true, ...(filter ? { filter } : {}) });

rmSync(OUT, { recursive: true, force: true });
mkdirSync(`${OUT}/dist/bpf`, { recursive: true });
copy('core/mem-watcher');
copy('dist/mem-watcher.js');
for (const file of Object.values(CHILD_BUNDLES)) copy(relative(path('.'), file));
copy('package.json');
copy('LICENSE');
copy('config');
copy('dist/bpf/words.wasm.o');
for (const source of globSync('plugins/*/*.bpf.c', { cwd: path('.') })) {
  const object = `dist/bpf/${basename(source, '.c')}.o`;
  if (existsSync(path(object))) copy(object);
}
for (const file of ['package.json', 'LICENSE.txt', 'index.js', 'index.cjs']) {
  copy(`node_modules/koffi/${file}`);
}
copy('node_modules/koffi/src/koffi', (from) => !/\.(cc|hh|S|asm|txt)$/.test(from));
copy(`node_modules/@koromix/${NATIVE}`);
