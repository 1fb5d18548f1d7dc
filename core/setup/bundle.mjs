/**
 * Makes one file of the compiled agent: dist/mem-watcher.js, which finds config/ and dist/bpf/
 * where it lies. It starts faster and takes a quarter less memory than its many modules; koffi,
 * whose native part cannot be bundled, stays outside. The processes without rights, which read files and
 * memory of others, are programs of their own, and so further files.
 */
import { rename } from 'node:fs/promises';
import { build } from 'esbuild';
import { BUNDLE, CHILD_BUNDLES, path } from './paths.mjs';

// tsc has already made plain JavaScript of the decorators, which esbuild would not do its way.
const bundle = async (entry, bundled) => {
  const made = `${bundled}.tmp`;
  await build({
    entryPoints: [path(entry)],
    outfile: made,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    external: ['koffi'],
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
    banner: {
      // CommonJS packages inside an ES module still want `require`.
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  // An agent that starts meanwhile finds the old one or the new one, whole.
  await rename(made, bundled);
};

for (const [entry, bundled] of Object.entries(CHILD_BUNDLES)) await bundle(entry, bundled);
await bundle('dist/core/main.js', BUNDLE);
