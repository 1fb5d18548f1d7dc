import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HARMLESS } from './simulation/harmless.js';
import { LEAKS } from './simulation/leaks.js';
import { type Setting, simulate } from './simulation/simulate.js';
import { rates, tally } from './simulation/tally.js';

const PER_KIND = 12;

/** The same programs in every run. */
function outcomes(setting: Setting) {
  return [...LEAKS, ...HARMLESS].flatMap((kind, k) =>
    Array.from({ length: PER_KIND }, (_, n) => simulate(kind, setting, 1000 * k + n)),
  );
}

for (const setting of ['minute', 'hours'] as const) {
  test(`programs watched for ${setting}: what is confirmed leaks, and what leaks is confirmed`, () => {
    const all = outcomes(setting);
    const { precision, recall } = rates(tally(all));
    const wrong = all.filter(({ kind, state }) => kind.truth !== 'leak' && state === 'confirmed');
    const named = wrong.map(({ kind, seed, reason }) => `${kind.name} ${seed}: ${reason}`);
    assert.deepEqual(named, []);
    assert.equal(precision, 1);
    assert.ok(recall >= 0.95, `recall ${recall}`);
  });

  test(`programs watched for ${setting}: states do not flap`, () => {
    for (const { kind, seed, changes } of outcomes(setting)) {
      assert.ok(changes <= 8, `${kind.name} ${seed} changed its state ${changes} times`);
    }
  });
}
