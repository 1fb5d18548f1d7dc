/**
 * The tests of a guest with what they import, as few files: an emulated CPU takes seconds to load
 * the hundreds of modules that a test file and the agent are made of.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { APP, ROOT } from './initramfs.js';

/** Programs that tests start by the path of their module. */
const PROGRAMS = [
  'dist/core/main.js',
  'dist/core/symbolize/symbolize-child.js',
  'dist/plugins/memleak/reach/scan-child.js',
];

export interface BundledFile {
  /** Under the repository. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** The test files and the programs that they start, each at its own path, with shared chunks. */
export async function bundleTests(files: readonly string[]): Promise<BundledFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...new Set([...files, ...PROGRAMS])],
    outdir: join(ROOT, 'dist'),
    outbase: join(ROOT, 'dist'),
    chunkNames: 'chunks/[name]-[hash]',
    allowOverwrite: true,
    write: false,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    external: ['koffi', 'esbuild', 'reflect-metadata'],
    keepNames: true,
    logLevel: 'warning',
    banner: {
      // Decorators need it before anything else, whichever chunk is first; and CommonJS packages
      // inside an ES module still want `require`.
      js: "import 'reflect-metadata'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    plugins: [ownPlace],
  });
  return outputFiles.map(({ path, contents }) => ({
    path: relative(ROOT, path),
    content: contents,
  }));
}

/** A module finds files from its own place, which in a chunk is another: it keeps what it was. */
const ownPlace: Plugin = {
  name: 'own place',
  setup({ onLoad }) {
    onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => {
      if (path.includes('/node_modules/')) return undefined;
      const inGuest = join('/', APP, relative(ROOT, path));
      const contents = readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(inGuest)))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(inGuest).href));
      return { contents, loader: 'js' };
    });
  },
};
