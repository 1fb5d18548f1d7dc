/** How tests and benches start the agent: as a user does, by its launcher. */
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from './vm/initramfs.js';

export const LAUNCHER = join(ROOT, 'core/mem-watcher');

/** The launcher takes the first Node on PATH; this makes it the one that runs the test. */
export const withOurNode = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...env,
  PATH: `${dirname(process.execPath)}${delimiter}${env.PATH ?? ''}`,
});
