/** The same built agent as everywhere, as a user runs it, on a kernel of the matrix. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import 'reflect-metadata';
import { plugins as modules } from '../../../plugins/index.js';

const MAIN = join(import.meta.dirname, '../../../core/main.js');
const CONFIG = join(import.meta.dirname, '../../../../config/agent.yaml');
/** Those that run without being switched on. */
const plugins = modules
  .filter(({ metadata }) => metadata.enabled !== false)
  .map(({ metadata }) => metadata.name);
const run = promisify(execFile);
const agent = (...args: string[]) => run(process.execPath, [MAIN, ...args]);

test('check --strict: every plugin loads, attaches and collects once', async () => {
  const { stdout, stderr } = await agent('check', '--strict', '--config', CONFIG);
  for (const name of plugins) assert.match(stdout + stderr, new RegExp(name));
});
