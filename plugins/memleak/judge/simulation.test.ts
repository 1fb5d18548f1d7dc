import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JUDGE_DEFAULTS } from './options.js';
import { HARMLESS } from './simulation/harmless.js';
import { LEAKS } from './simulation/leaks.js';
import { SIGHTS } from './simulation/sight.js';
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

test('of what is said with some confidence, at least as much is right', () => {
  const all = [...outcomes('minute'), ...outcomes('hours')];
  for (const confidence of [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]) {
    const said = all.filter((one) => one.class && (one.confidence ?? 0) >= confidence);
    for (const verdicts of [said, said.filter((one) => one.class === 'leak')]) {
      const right = verdicts.filter(
        (one) => (one.class === 'leak') === (one.kind.truth === 'leak'),
      );
      assert.ok(verdicts.length > 200, `${verdicts.length} are too few to tell`);
      const share = right.length / verdicts.length;
      assert.ok(
        share >= confidence,
        `${share} of those said with ${confidence} and more are right`,
      );
    }
  }
});

test('of programs of which little is recorded no harmless one is confirmed, and leaks are suspected', () => {
  const seen = Object.entries(SIGHTS).flatMap(([sight, draw]) =>
    [...LEAKS, ...HARMLESS].flatMap((kind, k) =>
      Array.from({ length: 4 }, (_, n) => {
        const outcome = simulate(kind, 'minute', 50_000 + 1000 * k + n, {}, draw);
        return { sight, ...outcome };
      }),
    ),
  );
  const poor = seen.filter(({ coverage }) => coverage < JUDGE_DEFAULTS.minCoverage);
  const wrong = poor.filter(({ kind, state }) => kind.truth !== 'leak' && state === 'confirmed');
  assert.deepEqual(
    wrong.map(({ sight, kind, seed }) => `${sight}: ${kind.name} ${seed}`),
    [],
  );
  const leaks = poor.filter(({ kind }) => kind.truth === 'leak');
  const told = leaks.filter(({ state }) => state === 'suspected' || state === 'confirmed');
  assert.ok(leaks.length > 100, `${leaks.length} are too few to tell`);
  assert.ok(told.length >= 0.65 * leaks.length, `${told.length} of ${leaks.length}`);
});
