import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
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

/** A test that is made by a loop over what happens to be there is not made where nothing is. */
test('tests loop over what is there by casesOf, which fails over nothing', () => {
  const loop = /^ {0,2}for \(.* of (?!casesOf\b).*\b(readdirSync|globSync|existsSync)/m;
  const tests = sources.filter(({ file }) => /\.test\.ts$/.test(file));
  assert.ok(tests.some(({ text }) => / of casesOf\(/.test(text)));
  for (const { file, text } of tests) assert.ok(!loop.test(text), file);
});

/** Two of the other live tests run at a time. */
test('tests that run alone are listed in test/kinds.mjs, which lists no file that is gone', async () => {
  const kinds: {
    readonly ALONE: Readonly<Record<string, readonly string[]>>;
    readonly isAlone: (file: string) => boolean;
    readonly isStress: (file: string) => boolean;
  } = await import(pathToFileURL(join(root, 'test/kinds.mjs')).href);
  const builtOf = (file: string) => `dist/${file.replace(/\.ts$/, '.js')}`;
  const tests = sources.map(({ file }) => file).filter((file) => /\.test\.ts$/.test(file));
  for (const prefix of Object.values(kinds.ALONE).flat()) {
    const listed = tests.filter((file) => file.startsWith(prefix) && kinds.isAlone(builtOf(file)));
    assert.ok(listed.length > 0, `no live test begins with ${prefix}`);
  }
  const alone = sources.filter(
    ({ file, text }) => tests.includes(file) && /^ *runAlone\(\);/m.test(text),
  );
  assert.ok(alone.length > 0);
  for (const { file } of alone) {
    assert.ok(kinds.isAlone(builtOf(file)) || kinds.isStress(builtOf(file)), file);
  }
});

/** The others run side by side: what they load or attach would be in one another's figures. */
test('tests that load BPF programs or start an agent are named live', async () => {
  const kinds = pathToFileURL(join(root, 'test/kinds.mjs')).href;
  const { isLive, isStress } = (await import(kinds)) as Record<string, (file: string) => boolean>;
  assert.ok(isLive && isStress);
  const isNamed = (file: string) => {
    const built = `dist/${file.replace(/\.ts$/, '.js')}`;
    return isLive(built) || isStress(built) || /^test\/(e2e|real|vm\/guest)\//.test(file);
  };
  const byFile = new Map(sources.map((source) => [source.file.replace(/\.ts$/, '.js'), source]));
  // Through helpers of tests; what is shipped opens a host only where it is told to.
  const touches = ({ text, imports }: Source): boolean =>
    /\bcreateBpfHost\(|\bLAUNCHER\b|'(\.\.\/|dist\/core\/)main\.js'|'dist\/mem-watcher\.js'/.test(
      text,
    ) ||
    imports.some((path) => {
      const source = byFile.get(path);
      return source !== undefined && !shipped.includes(source) && touches(source);
    });
  const tests = sources.filter((one) => /\.test\.ts$/.test(one.file) && touches(one));
  assert.ok(tests.some(({ file }) => file === 'core/bpf/libbpf.live.test.ts'));
  // These name the agent or its launcher and start neither.
  const none = ['corpus/verdict', 'launcher', 'setup/type-errors', 'vm/parts'];
  assert.deepEqual(
    tests
      .map(({ file }) => file)
      .filter((file) => !isNamed(file))
      .sort(),
    none.map((name) => `test/${name}.test.ts`),
  );
});

/** Memory that programs write meanwhile (decision 0095): a value in two reads is torn. */
test('live memory is read by core/bpf/live-columns.ts alone', () => {
  // These read what nobody writes any more: results of a run of the agent’s own, and look-ups.
  const settled = ['passes', 'lookup-passes'].map((file) => `plugins/memleak/user/${file}.ts`);
  const live = found(({ text }) => /\bMappedArray\b|\.mapped\(\)/.test(text));
  assert.ok(live.includes('plugins/paf/folds.ts'));
  const readers = live.filter((file) => !settled.includes(file));
  for (const { file, text } of shipped.filter(({ file }) => readers.includes(file))) {
    assert.ok(!/\.getBig(Ui|I)nt64\(|\.get(Ui|I)nt32\([^)]*\+ 4/.test(text), file);
    assert.ok(!/\bnew Columns\b/.test(text), file);
  }
});

test('emitDecoratorMetadata stays off: an import type would compile and fail at run time', () => {
  assert.doesNotMatch(readFileSync(join(root, 'tsconfig.json'), 'utf8'), /emitDecoratorMetadata/);
});
