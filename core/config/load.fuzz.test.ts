import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pool } from '../../test/fakes/plugin.js';
import { agentYaml } from '../gen/agent-yaml.js';
import { loadConfig } from './load.js';
import { ConfigError } from './problem.js';

const folder = mkdtempSync(join(tmpdir(), 'mem-watcher-config-fuzz-'));
after(() => rmSync(folder, { recursive: true }));

/** The same numbers every time, for a failure must come again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const SPLINTERS = [
  ...'{}[]:,-?&*!|>%@"\'#\n\t \0\u{1f680}',
  '${env:',
  '${'.concat('file:/proc/self/environ}'),
  '&a ',
  '*a',
  '!!binary ',
  '<<: ',
  '---\n',
  '1e999',
  '.nan',
  '99999999999999999999',
  '-1s',
  'null',
  '__proto__: ',
];

function mutated(text: string, below: (limit: number) => number): string {
  let result = text;
  for (let edits = 1 + below(2); edits > 0; edits--) {
    const at = below(result.length + 1);
    const splinter = SPLINTERS[below(SPLINTERS.length)] ?? '';
    const cut = below(3) === 0 ? below(20) : 0;
    result = result.slice(0, at) + splinter + result.slice(at + cut);
  }
  return result;
}

test('whatever the file holds, it is a configuration or a list of mistakes with their places', () => {
  const seed = Number(process.env.FUZZ_SEED ?? 20_261_123);
  const below = random(seed);
  const file = join(folder, 'agent.yaml');
  // Without comments, so that most mutations meet something.
  const text = agentYaml([pool]).replace(/^\s*#.*\n/gm, '');
  const outcomes = { accepted: 0, refused: 0 };
  for (let round = 0; round < 250; round++) {
    const yaml = mutated(text, below);
    writeFileSync(file, yaml);
    try {
      loadConfig({ file, env: {}, root: folder, plugins: [pool] });
      outcomes.accepted++;
    } catch (error) {
      if (!(error instanceof ConfigError)) {
        assert.fail(`seed ${seed}, round ${round}: ${String(error)}\n${yaml}`);
      }
      const lines = yaml.split('\n').length;
      for (const { line, column } of error.problems) {
        assert.ok(line !== undefined && line >= 1 && line <= lines, `line ${line} of ${lines}`);
        assert.ok(column !== undefined && column >= 1);
      }
      outcomes.refused++;
    }
  }
  // Else it mutates too much, or nothing.
  assert.ok(outcomes.refused > 50 && outcomes.accepted > 0, JSON.stringify(outcomes));
});
