/**
 * The command line as a process of its own, with the pool plugin: for tests of signals, pipes and
 * exit codes. Not main.ts, whose plugins need a kernel.
 */
import { resolve } from 'node:path';
import { runCli } from '../../core/cli/cli.js';
import { processContext } from '../../core/cli/process-context.js';
import { FakeWorld } from './cli.js';
import { Pool, pool } from './plugin.js';

const root = resolve(import.meta.dirname, '..', '..', '..');
/** A plugin that cannot be closed: what a second Ctrl-C is for. */
const stuck = process.env.TEST_STUCK !== undefined;

const { context } = new FakeWorld(root, {
  build: (_, { scope, config }) => {
    if (stuck) scope.defer(() => new Promise(() => setTimeout(() => undefined, 60_000)));
    return new Pool(config as ConstructorParameters<typeof Pool>[0]);
  },
});

const real = processContext({
  version: '1.2.3',
  root,
  plugins: [pool],
  createAgent: context.createAgent,
  createSupervisor: context.createSupervisor,
  forceExit: (code) => process.exit(code),
});
const code = await runCli(process.argv.slice(2), real);
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(real.exitCode(code));
