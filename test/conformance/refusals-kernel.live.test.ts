/**
 * As `refusals.live.test.ts`, of the object by which memleak follows the kernel's own allocations: it is
 * loaded while something grows, and so by the loader here and not by a plugin.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeFeature, type Feature } from '../../core/bpf/feature.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { refusingHost } from '../../core/bpf/refusing-host.js';
import { describeError } from '../../core/errors.js';
import { findInstallation } from '../../core/install.js';
import type { Choice, Kernel, Strategy } from '../../core/kernel/kernel.js';
import { createBpfLoader } from '../../core/kernel/loader.js';
import { permissionShortage } from '../../core/kernel/permission.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import { silentLogger } from '../../core/logger.js';
import { verifyKernel } from '../../plugins/memleak/kernel/kernel-watch.js';
import { casesOf } from '../fakes/cases.js';
import { featuresOf, waysOf } from './features.js';
import { profiles } from './harness.js';
import { EXPECTED, NO_OTHER_WAY } from './refusals.expected.js';

const NAME = 'memleak-kernel';
const kernel = new RunningKernel();
/** The same without tracefs, so without classic tracepoints. */
const blind = new RunningKernel({ tracefsMounts: [] });
const skip =
  permissionShortage(kernel)?.message ?? (kernel.btfPath ? false : 'the kernel has no BTF');
const profile = readProfile(profiles, NAME);
const objectFile = findInstallation(import.meta.url).bpfObject(NAME);

interface Ways {
  /** The strategy, and by part its choice or `-`. */
  readonly names: readonly string[];
  readonly used: readonly (Strategy | Choice)[];
}

/** The ways in use. Throws what loading throws. `strategy`: the only one to try. */
function ways(on: Kernel, refused: readonly Feature[], strategy = 'auto'): Ways {
  const loader = createBpfLoader({
    host: refusingHost(createBpfHost(), refused),
    kernel: on,
    profile,
    objectFile,
    strategy,
    logger: silentLogger,
  });
  const loaded = loader.load({ verify: verifyKernel });
  try {
    const { strategies, parts = [] } = profile;
    return {
      names: [
        loaded.strategy,
        ...parts.map(({ name }) => `${name}: ${loaded.parts.get(name) ?? '-'}`),
      ],
      used: [
        ...strategies.filter(({ name }) => name === loaded.strategy),
        ...parts.flatMap(({ name, choices }) =>
          choices.filter((choice) => choice.name === loaded.parts.get(name)),
        ),
      ],
    };
  } finally {
    void loaded.close();
  }
}

/** The ways in use, or the sentence with which loading failed. */
function outcome(on: Kernel, refused: readonly Feature[], strategy?: string): Ways | string {
  try {
    return ways(on, refused, strategy);
  } catch (error) {
    return describeError(error);
  }
}

const othersThan = (usual: Ways, { names }: Ways) =>
  names.filter((way) => !usual.names.includes(way));

/** By kernel, the ways in use where it refuses nothing. */
const usualWays = new Map<Kernel, Ways>();

function usualOf(on: Kernel): Ways {
  const usual = usualWays.get(on) ?? ways(on, []);
  usualWays.set(on, usual);
  return usual;
}

const isInUse = (id: string, { used }: Ways) =>
  featuresOf(createBpfHost(), objectFile, attached(used)).has(id);

function check(on: Kernel, id: string, feature: Feature): void {
  const result = outcome(on, [feature], isHopeless(id) ? usualOf(on).names[0] : 'auto');
  const hasNone = NO_OTHER_WAY[NAME]?.includes(id) === true;
  const expected = EXPECTED[NAME]?.[id] ?? [];
  if (typeof result === 'string') {
    assert.ok(hasNone, result);
    assert.match(result, /the kernel refused .*; .*(it needs|allow it there|boot with)/);
    return;
  }
  const usual = usualOf(on);
  const others = othersThan(usual, result);
  const inUse = isInUse(id, usual);
  assert.ok(!hasNone || expected.length > 0 || !inUse, 'it has a way after all');
  assert.deepEqual(
    others.filter((way) => !expected.includes(way)),
    [],
  );
  assert.equal(others.length > 0, inUse && expected.length > 0, 'as usual');
}

type Case = readonly [id: string, feature: Feature];

const expectedOf = ([id]: Case) => EXPECTED[NAME]?.[id] ?? [];
/** The part of `part: choice`; of a strategy its name. */
const partsOf = (one: Case) => new Set(expectedOf(one).map((way) => way.split(':')[0]));

/**
 * Features that are refused at once, because the kernel's verifier takes long for this object: each
 * costs other parts their choice, so what is used instead tells them apart. Those that cost nothing
 * are together.
 */
function bundles(cases: readonly Case[]): Case[][] {
  const found: Case[][] = [];
  for (const one of cases) {
    const own = partsOf(one);
    const free = found.find((others) =>
      others.every((other) => {
        const parts = partsOf(other);
        return own.size === 0 ? parts.size === 0 : parts.size > 0 && own.isDisjointFrom(parts);
      }),
    );
    if (free) free.push(one);
    else found.push([one]);
  }
  return found;
}

/** Each that is in use costs its own parts their usual choice, and none costs anything else. */
function checkAll(bundle: readonly Case[]): void {
  const usual = usualOf(kernel);
  const others = othersThan(
    usual,
    ways(
      kernel,
      bundle.map(([, feature]) => feature),
    ),
  );
  const expected = bundle.flatMap(expectedOf);
  assert.deepEqual(
    others.filter((way) => !expected.includes(way)),
    [],
  );
  for (const one of bundle) {
    const own = expectedOf(one);
    const changes = others.some((way) => own.includes(way));
    assert.equal(changes, own.length > 0 && isInUse(one[0], usual), one[0]);
  }
}

/** Programs that a load does not attach are attached when something grows. */
const attached = (ways: readonly (Strategy | Choice)[]) => ways.map(({ attach: _, ...way }) => way);

/** Every strategy asks for it: one of them is tried, for the others would fail as well. */
const isHopeless = (id: string) =>
  NO_OTHER_WAY[NAME]?.includes(id) === true && EXPECTED[NAME]?.[id] === undefined;

/** Features whose refusal leaves a way only where tracefs is mounted. */
const needsTracefs = (id: string) =>
  NO_OTHER_WAY[NAME]?.includes(id) === true && EXPECTED[NAME]?.[id] !== undefined;

describe('memleak’s kernel object where the kernel refuses a BPF feature', { skip }, () => {
  const features = skip
    ? new Map<string, Feature>()
    : featuresOf(createBpfHost(), objectFile, attached(waysOf(kernel, profile)));
  const cases = skip ? [] : casesOf('features of the kernel’s object', [...features]);
  const isSparable = ([id]: Case) => NO_OTHER_WAY[NAME]?.includes(id) !== true;
  for (const [id, feature] of cases.filter((one) => !isSparable(one))) {
    test(describeFeature(feature), () => check(kernel, id, feature));
    if (!needsTracefs(id)) continue;
    test(`${describeFeature(feature)}, without tracefs`, () => check(blind, id, feature));
  }
  for (const bundle of bundles(cases.filter(isSparable))) {
    const name = bundle.map(([, feature]) => describeFeature(feature)).join('; ');
    test(name, () => checkAll(bundle));
  }

  test('every strategy uses a feature that the expectations say has no other way', () => {
    const hopeless = (NO_OTHER_WAY[NAME] ?? []).filter(isHopeless);
    assert.ok(hopeless.length > 0);
    for (const strategy of profile.strategies.filter(({ manual }) => !manual)) {
      const own = featuresOf(createBpfHost(), objectFile, attached([strategy]));
      const spared = hopeless.filter((id) => !own.has(id));
      assert.deepEqual(spared, [], strategy.name);
    }
  });
});
