import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { root } from './harness.js';

interface Source {
  /** From the repository's root, with slashes. */
  readonly file: string;
  readonly text: string;
  /** Modules, and own files as paths from the root. */
  readonly imports: readonly string[];
}

const sources: readonly Source[] = globSync('{core,plugins,test,bench}/**/*.ts', { cwd: root }).map(
  (file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const imports = [...text.matchAll(/\b(?:from|import|import\s*\()\s*['"]([^'"\n]+)['"]/g)].map(
      ([, specifier = '']) =>
        specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier,
    );
    return { file, text, imports };
  },
);

const isTest = ({ file }: Source) =>
  /\.test\.ts$/.test(file) || file.startsWith('test/') || file.startsWith('bench/');
/** Helpers of tests that lie beside the code, and helpers of those. */
const isTestHelper = ({ file }: Source, seen: readonly string[] = []): boolean => {
  const emitted = file.replace(/\.ts$/, '.js');
  const path = [...seen, file];
  const users = sources.filter((one) => one.imports.includes(emitted) && !path.includes(one.file));
  return users.length > 0 && users.every((user) => isTest(user) || isTestHelper(user, path));
};
const shipped = sources.filter((source) => !isTest(source) && !isTestHelper(source));
const pluginOf = (path: string) => /^plugins\/([^/]+)\//.exec(path)?.[1];

/** Files of the agent that are found by `match`; fails if there is none, for then it looks wrongly. */
function found(match: (source: Source) => boolean): string[] {
  const files = shipped.filter(match).map(({ file }) => file);
  assert.ok(files.length > 0, 'the scan finds nothing at all');
  return files.sort();
}

test('the core knows plugins only by the list in plugins/index.ts', () => {
  const reach = found(
    ({ file, imports }) =>
      file.startsWith('core/') && imports.some((path) => path.startsWith('plugins/')),
  );
  assert.deepEqual(reach, ['core/gen/main.ts', 'core/main.ts']);
  for (const { file, imports } of shipped.filter(({ file }) => reach.includes(file))) {
    const plugins = imports.filter((path) => path.startsWith('plugins/'));
    assert.deepEqual(plugins, ['plugins/index.js'], file);
  }
});

test('the code of the core names no plugin', () => {
  const names = globSync('plugins/*/metadata.ts', { cwd: root }).map((path) => pluginOf(path));
  assert.ok(names.length > 0);
  const word = new RegExp(`\\b(${names.join('|')})\\b`);
  for (const { file, text } of shipped.filter(({ file }) => file.startsWith('core/'))) {
    // In comments and examples they are welcome.
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|\bexample: '[^']*'/g, '');
    assert.doesNotMatch(code, word, file);
  }
});

test('plugins never import each other', () => {
  assert.ok(sources.some(({ file }) => pluginOf(file)));
  for (const { file, imports } of sources) {
    const own = pluginOf(file);
    if (own === undefined) continue;
    const foreign = imports.filter((path) => (pluginOf(path) ?? own) !== own);
    assert.deepEqual(foreign, [], file);
    assert.ok(!imports.includes('plugins/index.js'), file);
  }
});

test('only main.ts touches the DI container', () => {
  const touches = ({ text }: Source) =>
    /import\s*\{[^}]*\bcontainer\b[^}]*\}\s*from\s*'tsyringe'/.test(text);
  assert.deepEqual(found(touches), ['core/main.ts']);
});

test('only what wraps libbpf, libdw and libc knows the FFI', () => {
  for (const file of found(({ imports }) => imports.includes('koffi'))) {
    assert.match(file, /^core\/(bpf\/libbpf[a-z-]*|symbolize\/lib(dw[a-z-]*|c))\.ts$/);
  }
});

test('only main.ts ends the process', () => {
  assert.deepEqual(
    found(({ text }) => /\bprocess\.(exit|abort|reallyExit|kill)\(/.test(text)),
    ['core/main.ts'],
  );
});

test('what is shipped imports no test', () => {
  for (const { file, imports } of shipped) {
    const tests = imports.filter((path) => /^(test|bench)\/|\.test\.js$/.test(path));
    assert.deepEqual(tests, [], file);
  }
});

test('emitDecoratorMetadata stays off: an import type would compile and fail at run time', () => {
  assert.doesNotMatch(readFileSync(join(root, 'tsconfig.json'), 'utf8'), /emitDecoratorMetadata/);
});
