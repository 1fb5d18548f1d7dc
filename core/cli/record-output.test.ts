import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeOutput } from '../../test/fakes/cli.js';
import { RecordOutput } from './record-output.js';

test('a reader that stands still costs records, counted and told once, and no more memory', () => {
  const stdout = Object.assign(new FakeOutput(), { writableLength: 0 });
  const stderr = new FakeOutput();
  const output = new RecordOutput({ stdout, stderr });
  output.write([{ n: 1 }]);
  stdout.writableLength = 5 * 1024 * 1024;
  output.write([{ n: 2 }, { n: 3 }]);
  output.write([{ n: 4 }]);
  stdout.writableLength = 0;
  output.write([{ n: 5 }]);
  output.close();
  assert.equal(stdout.text, '{"n":1}\n{"n":5}\n');
  assert.deepEqual(stderr.text.split('\n'), [
    'mem-watcher: the reader of stdout is too slow: records are dropped',
    'mem-watcher: 3 records were dropped for a slow reader of stdout',
    '',
  ]);
});
