/** The steps, in order. `pending()` is cheap and says why the step must be done, or nothing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { capabilityShortage, missingCapabilities } from './capabilities.mjs';
import { installPackages, missingPackages, missingTools, packagesFor } from './packages.mjs';
import { BUNDLE, CACHE, CHILD_BUNDLE, NODE, path, ROOT } from './paths.mjs';
import { run, SetupError, say } from './progress.mjs';
import { hashFiles, hashTree, readStamp, removeStaleOutputs, writeStamp } from './stamp.mjs';

const MODULES_STAMP = path('node_modules/.mem-watcher-stamp');
const BUILD_STAMP = path('dist/.stamp');
const SOURCES = ['core', 'plugins', 'test', 'bench'];
const TEST_PROGRAMS = ['test/fakes', 'test/corpus'];
const MATRIX = ['5.10', '6.1', '6.12', 'newest'];

export function steps(wants) {
  return [
    packages(wants),
    dependencies,
    programs,
    agent,
    ...(wants.test ? [testPrograms, kernels] : []),
    ...(wants.run ? [capabilities] : []),
  ];
}

const packages = (wants) => ({
  title: 'Debian packages',
  pending() {
    const missing = missingPackages(packagesFor(wants));
    if (missing) return missing.join(' ');
    const tools = missingTools(wants);
    return tools.length > 0 ? `missing: ${tools.join(', ')}` : '';
  },
  async perform() {
    const missing = missingPackages(packagesFor(wants));
    if (missing) return installPackages(missing);
    throw new SetupError(
      `this is not Debian, so the set-up cannot install what is missing: ${missingTools(wants).join(', ')}`,
      `install them, and what Debian calls ${packagesFor(wants).join(' ')}`,
    );
  },
});

const dependencies = {
  title: 'npm packages and the pinned Node',
  pending() {
    if (!existsSync(NODE)) return 'not installed yet';
    return readStamp(MODULES_STAMP) === lockStamp() ? '' : 'package-lock.json has changed';
  },
  async perform() {
    // What a user has configured (omit=dev, NODE_ENV) must not leave out the compiler, nor may
    // the Node of the machine be held against packages that run under the pinned one; and what
    // fails is shown also under npm --silent.
    const flags = [
      '--include=dev',
      '--include=optional',
      '--engine-strict=false',
      '--loglevel=warn',
    ];
    await run('installing npm packages', 'npm', ['ci', ...flags], { cwd: ROOT });
    const check = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
    const { dependencies: pinned } = JSON.parse(readFileSync(path('package.json'), 'utf8'));
    if (check.stdout?.trim() !== `v${pinned.node}`) {
      throw new SetupError(
        `npm did not bring Node ${pinned.node} (${check.error?.message ?? check.stderr ?? check.stdout})`,
        'see that npm may run install scripts (ignore-scripts must not be set), then try again',
      );
    }
    writeStamp(MODULES_STAMP, lockStamp());
  },
};

const lockStamp = () =>
  `${hashFiles([path('package-lock.json')])} ${process.platform}-${process.arch}`;

const programs = {
  title: 'BPF programs',
  pending() {
    const result = spawnSync('make', ['-q', '-C', path('bpf')]);
    return result.status === 0 ? '' : 'sources are newer than what is built';
  },
  perform: () => run('building the BPF programs', 'make', ['-C', path('bpf')]),
};

/** What the tests watch; built here, since the guests of the matrix have no compiler. */
const testPrograms = {
  title: 'test programs',
  pending() {
    const isCurrent = (dir) => spawnSync('make', ['-q', '-C', path(dir)]).status === 0;
    return TEST_PROGRAMS.every(isCurrent) ? '' : 'sources are newer than what is built';
  },
  async perform() {
    for (const dir of TEST_PROGRAMS) {
      const args = [`-j${availableParallelism()}`, '-C', path(dir)];
      await run('building the test programs', 'make', args);
    }
  },
};

const agent = {
  title: 'TypeScript',
  pending: () =>
    readStamp(BUILD_STAMP) === sourceStamp() && existsSync(BUNDLE) && existsSync(CHILD_BUNDLE)
      ? ''
      : 'sources have changed',
  async perform() {
    const stamp = sourceStamp();
    removeStaleOutputs(path('dist'), ROOT, SOURCES);
    try {
      await run('compiling', NODE, [path('node_modules/typescript/bin/tsc'), '-p', ROOT]);
      await bundle();
      writeStamp(BUILD_STAMP, stamp);
    } catch (error) {
      // The compiler writes what it can in spite of type errors: whoever changes one plugin can
      // try it while another does not compile. CI takes no such thing.
      if (process.env.CI || !(error instanceof SetupError)) throw error;
      say(`${error.message}\n${error.evidence}\ngoing on with what did compile`);
      await bundle();
    }
  },
};

const bundle = () => run('making one file of it', NODE, [path('core/setup/bundle.mjs')]);

const sourceStamp = () =>
  hashTree(
    SOURCES.map((dir) => path(dir)),
    /\.ts$/,
  ) +
  hashFiles(
    ['tsconfig.json', 'package-lock.json', 'core/setup/bundle.mjs'].map((file) => path(file)),
  );

const kernels = {
  title: 'kernels of the matrix',
  pending() {
    const missing = MATRIX.filter((name) => !existsSync(join(CACHE, 'kernels', `${name}.json`)));
    return process.arch === 'x64' && missing.length > 0
      ? `${missing.join(', ')}, kept in ${CACHE}`
      : '';
  },
  async perform() {
    try {
      await run('fetching kernels', NODE, [path('dist/test/vm/main.js'), '--fetch']);
    } catch (error) {
      // The tests that need no kernel can still run; the matrix will say what it lacks.
      if (!(error instanceof SetupError)) throw error;
      say(`${error.message}\n${error.evidence}`);
    }
  },
};

const capabilities = {
  title: 'rights to look into the kernel',
  pending: () => missingCapabilities().join(', '),
  async perform() {
    throw capabilityShortage(missingCapabilities());
  },
};
