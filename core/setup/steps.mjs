/** The steps, in order. `pending()` is cheap and says why the step must be done, or nothing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { capabilityShortage, missingCapabilities } from './capabilities.mjs';
import { installPackages, missingPackages, missingTools, packagesFor } from './packages.mjs';
import { BUNDLE, CACHE, CHILD_BUNDLES, NODE, path, ROOT } from './paths.mjs';
import { run, SetupError, say } from './progress.mjs';
import { isRoot } from './root.mjs';
import { hashFiles, hashTree, readStamp, removeStaleOutputs, writeStamp } from './stamp.mjs';

const MODULES_STAMP = path('node_modules/.mem-watcher-stamp');
const BUILD_STAMP = path('dist/.stamp');
const SOURCES = ['core', 'plugins', 'test', 'bench'];
const TEST_PROGRAMS = ['test/fakes', 'test/corpus'];
const TRACEFS = '/sys/kernel/tracing';
const MATRIX = ['5.10', '6.1', '6.12', 'newest'];

export function steps(wants) {
  return [
    packages(wants),
    dependencies,
    programs,
    agent,
    ...(wants.test ? [together(testPrograms, kernels)] : []),
    ...(wants.gate ? [tracer] : []),
    ...(wants.run ? [capabilities] : []),
  ];
}

/** Steps that do not wait for one another: one is at the CPUs while the other is at the network. */
const together = (...parts) => ({
  title: parts.map(({ title }) => title).join(', '),
  pending: () =>
    parts
      .map((part) => part.pending())
      .filter((why) => why)
      .join('; '),
  async perform() {
    const results = await Promise.allSettled(
      parts.filter((part) => part.pending()).map((part) => part.perform()),
    );
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  },
});

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
    readStamp(BUILD_STAMP) === sourceStamp() &&
    [BUNDLE, ...Object.values(CHILD_BUNDLES)].every((file) => existsSync(file))
      ? ''
      : 'sources have changed',
  async perform() {
    const stamp = sourceStamp();
    removeStaleOutputs(path('dist'), ROOT, SOURCES);
    // The compiler writes what it can in spite of type errors: what is there has no stamp until all is.
    rmSync(BUILD_STAMP, { force: true });
    await run('compiling', NODE, [path('node_modules/typescript/bin/tsc'), '-p', ROOT]);
    await bundle();
    writeStamp(BUILD_STAMP, stamp);
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
      await run('fetching kernels', NODE, [path('dist/test/vm/main.js'), '--fetch'], {
        log: 'setup-kernels.log',
      });
    } catch (error) {
      // The tests that need no kernel can still run; the matrix will say what it lacks.
      if (!(error instanceof SetupError)) throw error;
      say(`${error.message}\n${error.evidence}`);
    }
  },
};

/** Tests compare with the kernel's own tracer; those that lack it are skipped, which no gate may do. */
const tracer = {
  title: 'the kernel’s tracer',
  pending: () =>
    isRoot() && existsSync(TRACEFS) && !existsSync(join(TRACEFS, 'events'))
      ? `tracefs is not mounted on ${TRACEFS}`
      : '',
  perform: () => run('mounting tracefs', 'mount', ['-t', 'tracefs', 'tracefs', TRACEFS]),
};

const capabilities = {
  title: 'rights to look into the kernel',
  pending: () => missingCapabilities().join(', '),
  async perform() {
    throw capabilityShortage(missingCapabilities());
  },
};
