import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LossWatch } from './loss-watch.js';
import { StatusKeeper } from './status.js';

it('says what is being lost as long as it goes on', () => {
  const status = new StatusKeeper('pool', () => undefined);
  status.running();
  const watch = new LossWatch(status, {
    drops: (count) => `${count} were dropped`,
    failures: (count) => `${count} could not be read`,
  });
  const reason = (drops: number, failures: number) => {
    watch.check({ drops, failures });
    return status.current.reason;
  };
  assert.equal(reason(0, 0), undefined);
  assert.equal(reason(3, 0), '3 were dropped');
  assert.match(reason(5, 1) ?? '', /2 were dropped.*1 could not be read/);
  assert.equal(reason(5, 2), '1 could not be read');
  assert.equal(reason(5, 2), undefined);
});
