/**
 * Puts what runs, and nothing else, into dist/bundle: the agent as one file, the BPF objects, the
 * configuration, and koffi, whose native module cannot be bundled. For the image and packages:
 *
 *   npm run bundle && node dist/bundle/dist/core/main.js doctor
 */
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { path } from './paths.mjs';

const OUT = path('dist/bundle');
const NATIVE = `koffi-${process.platform}-${process.arch}`;

rmSync(OUT, { recursive: true, force: true });
// tsc has already made plain JavaScript of the decorators, which esbuild would not do its way.
await build({
  entryPoints: [path('dist/core/main.js')],
  outfile: `${OUT}/dist/core/main.js`,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  external: ['koffi'],
  keepNames: true,
  legalComments: 'linked',
  logLevel: 'warning',
  banner: {
    // CommonJS packages inside an ES module still want `require`.
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});

const copy = (from, filter) =>
  cpSync(path(from), `${OUT}/${from}`, { recursive: true, ...(filter ? { filter } : {}) });
copy('package.json');
copy('LICENSE');
copy('config');
mkdirSync(`${OUT}/dist/bpf`, { recursive: true });
for (const name of readdirSync(path('plugins'))) {
  const object = `dist/bpf/${name}.bpf.o`;
  if (readdirSync(path('dist/bpf')).includes(`${name}.bpf.o`)) copy(object);
}
for (const file of ['package.json', 'LICENSE.txt', 'index.js', 'index.cjs']) {
  copy(`node_modules/koffi/${file}`);
}
copy('node_modules/koffi/src/koffi', (from) => !/\.(cc|hh|S|asm|txt)$/.test(from));
copy(`node_modules/@koromix/${NATIVE}`);
