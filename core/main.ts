#!/usr/bin/env node
/**
 * The composition root: the only file that knows the DI container, and the only one that exits.
 *
 * Every plugin gets a child container, in which the tokens of tokens.ts mean its own scope,
 * configuration, loader and logger. The container only builds; what is built lives in its scope.
 */
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { container, type InjectionToken } from 'tsyringe';
import { plugins } from '../plugins/index.js';
import { tokenValues } from './bindings.js';
import { runCli } from './cli/cli.js';
import { processContext } from './cli/process-context.js';
import { createQuietAgent, createSupervisor, type Foundation } from './compose.js';
import { skipFileWaits } from './file-waits.js';
import { findInstallation, lackOfNode } from './install.js';
import { readProfile } from './kernel/profile.js';
import type { Plugin } from './plugin.js';

const build: Foundation['build'] = (module, bindings, kernel) => {
  const child = container.createChildContainer();
  for (const [token, useValue] of tokenValues(bindings, kernel))
    child.register(token, { useValue });
  return child.resolve(module.Plugin as InjectionToken<Plugin>);
};

function end(code: number): never {
  skipFileWaits();
  process.exit(code);
}

/** With the default `shutdown_timeout` it is less than container runtimes wait. */
const STDOUT_DEADLINE_MS = 1000;

const installation = findInstallation(import.meta.url);
const lack = lackOfNode(installation);
if (lack !== undefined) {
  process.stderr.write(`mem-watcher: ${lack}\n`);
  process.exit(1);
}
const foundation: Foundation = { installation, plugins, build };

const context = processContext({
  version: installation.version,
  root: installation.root,
  plugins,
  strategies: (plugin, folder = installation.profiles) => {
    try {
      return readProfile(folder, plugin).strategies.map(({ name }) => name);
    } catch {
      return undefined;
    }
  },
  createAgent: (config, options) => createQuietAgent(foundation, config, options),
  createSupervisor: (config, options) => createSupervisor(foundation, config, options),
  forceExit: end,
});

const code = await runCli(process.argv.slice(2), context);
// What a slow reader of a pipe has not taken yet would be cut off by exit; one that never reads
// cannot hold the agent for ever.
const written = new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
await Promise.race([written, sleep(STDOUT_DEADLINE_MS)]);
end(context.exitCode(code));
