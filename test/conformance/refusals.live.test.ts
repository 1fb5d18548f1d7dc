/**
 * Every plugin with everything that it asks of BPF refused, one thing at a time, by the real agent on
 * this kernel: it runs by another way that the kernel does not refuse, or it fails with one sentence
 * that names what is missing and how to allow it. `refusals.expected.ts` says which.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { describeFeature, type Feature, featureId } from '../../core/bpf/feature.js';
import { createBpfHost } from '../../core/bpf/libbpf.js';
import { refusingHost } from '../../core/bpf/refusing-host.js';
import { createQuietAgent } from '../../core/compose.js';
import { agentSchema, toAgentConfig } from '../../core/config/schema.js';
import { findInstallation } from '../../core/install.js';
import type { StrategyReport } from '../../core/kernel/kernel.js';
import { permissionShortage } from '../../core/kernel/permission.js';
import { readProfile } from '../../core/kernel/profile.js';
import { RunningKernel } from '../../core/kernel/running-kernel.js';
import type { PluginModule, PluginStatus } from '../../core/plugin.js';
import type { PointBatch } from '../../core/telemetry/points.js';
import { casesOf } from '../fakes/cases.js';
import { featuresOf, waysOf } from './features.js';
import { buildWith, plugins, profiles } from './harness.js';
import { CONFIG, EXPECTED, NO_OTHER_WAY } from './refusals.expected.js';

const kernel = new RunningKernel();
const skip =
  permissionShortage(kernel)?.message ?? (kernel.btfPath ? false : 'the kernel has no BTF');
const installation = findInstallation(import.meta.url);

/** How a plugin went with some features refused. */
interface Outcome {
  readonly status: PluginStatus;
  readonly report: StrategyReport | undefined;
  readonly batch: PointBatch | undefined;
}

/** Starts the agent with these plugins, collects once and stops it. `only`: by plugin a strategy. */
async function outcomes(
  modules: readonly PluginModule[],
  refused: readonly Feature[],
  only: ReadonlyMap<string, string> = new Map(),
): Promise<ReadonlyMap<string, Outcome>> {
  const named = modules.map(({ metadata: { name } }) => {
    return [name, { ...CONFIG[name], strategy: only.get(name) ?? 'auto' }] as const;
  });
  const raw = {
    plugins: Object.fromEntries(named.map(([name, own]) => [name, { enabled: true, ...own }])),
    log: { level: 'error' },
    // A busy machine is no refusal.
    start_timeout: '60s',
    collect_timeout: '60s',
  };
  const bpfHost = refusingHost(createBpfHost(), refused);
  const reports = new Map<string, StrategyReport>();
  const agent = createQuietAgent(
    { installation, plugins: modules, build: buildWith, bpfHost },
    toAgentConfig(agentSchema(modules).parse(raw)),
    { silent: true, onStrategies: (report) => reports.set(report.plugin, report) },
  );
  try {
    await agent.start();
    const collection = await agent.collect();
    const batches = new Map(collection.plugins.map(({ name, batch }) => [name, batch]));
    return new Map(
      agent.statuses.map((status) => {
        const { plugin } = status;
        return [plugin, { status, report: reports.get(plugin), batch: batches.get(plugin) }];
      }),
    );
  } finally {
    await agent.stop();
  }
}

/** The ways in use: the strategy, and by part its choice or `-`. */
function waysInUse({ status, report }: Outcome): string[] {
  const parts = report?.parts ?? [];
  return [`${status.strategy}`, ...parts.map(({ part, chosen = '-' }) => `${part}: ${chosen}`)];
}

function hasData({ status, batch }: Outcome): boolean {
  if (status.state !== 'ok' && status.state !== 'degraded') return false;
  const { metrics = [] } = batch ?? {};
  return metrics.some(({ scalars, histograms }) => scalars.length + histograms.length > 0);
}

/** One sentence, before all evidence: what was refused, and what allows it. */
function failsWell(feature: Feature, { state, reason = '' }: PluginStatus): boolean {
  const [sentence = ''] = reason.split('\n');
  // The kernel refuses a map with its flags, and does not say for which of them.
  const what =
    feature.kind === 'flag' ? 'BPF maps of type array with BPF_F_' : describeFeature(feature);
  const names = sentence.includes(`the kernel refused ${what}`);
  return state === 'failed' && names && /it needs .+|allow it there|boot with .+/.test(sentence);
}

/** Whether what usually runs asks for the feature. */
function isInUse(name: string, id: string, usual: Outcome | undefined): boolean {
  const { strategies, parts = [] } = readProfile(profiles, name);
  const all = [...strategies, ...parts.flatMap(({ choices }) => choices)];
  const chosen = [
    usual?.report?.chosen,
    ...(usual?.report?.parts ?? []).map((part) => part.chosen),
  ];
  const ways = all.filter((way) => chosen.includes(way.name));
  return featuresOf(createBpfHost(), installation.bpfObject(name), ways).has(id);
}

/** By plugin that has no way without the feature: the one that is tried, for the others ask for it too. */
function hopeless(id: string, base: ReadonlyMap<string, Outcome>): ReadonlyMap<string, string> {
  const without = [...base].filter(([name]) => NO_OTHER_WAY[name]?.includes(id));
  return new Map(without.map(([name, { status }]) => [name, status.strategy ?? 'auto']));
}

/** What is not as expected of a plugin without the feature. */
function mistake(
  name: string,
  feature: Feature,
  outcome: Outcome,
  usual: Outcome | undefined,
): string | undefined {
  const id = featureId(feature);
  const { status } = outcome;
  const said = `${status.state}: ${status.reason?.split('\n')[0]}`;
  if (NO_OTHER_WAY[name]?.includes(id)) {
    return failsWell(feature, status) ? undefined : `${name} without ${id} is ${said}`;
  }
  if (!hasData(outcome)) return `${name} without ${id} has no data and is ${said}`;
  const before = usual ? waysInUse(usual) : [];
  const others = waysInUse(outcome).filter((way) => !before.includes(way));
  const expected = EXPECTED[name]?.[id] ?? [];
  const isExpected =
    others.length === 0 ? expected.length === 0 : others.every((way) => expected.includes(way));
  return isExpected ? undefined : `${name} without ${id}: ${others.join(', ') || 'as usual'}`;
}

describe('plugins where the kernel refuses a BPF feature', { skip }, async () => {
  const modules = plugins.filter(({ metadata }) => CONFIG[metadata.name] !== undefined);
  const uses = new Map(
    modules.map(({ metadata: { name } }) => {
      const ways = skip === false ? waysOf(kernel, readProfile(profiles, name)) : [];
      return [name, featuresOf(createBpfHost(), installation.bpfObject(name), ways)];
    }),
  );
  const features = new Map([...uses.values()].flatMap((own) => [...own]));
  let base: ReadonlyMap<string, Outcome> = new Map();
  // For memleak, which traces nobody unasked.
  let target: ChildProcess | undefined;
  before(() => {
    target = spawn('sleep', ['600'], { stdio: 'ignore' });
  });
  after(() => target?.kill());

  test('all collect data where it refuses none', async () => {
    base = await outcomes(modules, []);
    for (const outcome of base.values()) assert.ok(hasData(outcome), `${outcome.status.reason}`);
  });

  const cases = [...features].sort();
  for (const [id, feature] of skip ? [] : casesOf('features of BPF in use', cases)) {
    test(describeFeature(feature), async () => {
      // What no way in use asks for may be refused and changes nothing.
      const users = modules.filter(({ metadata: { name } }) => isInUse(name, id, base.get(name)));
      const wrong = [...(await outcomes(users, [feature], hopeless(id, base)))].flatMap(
        ([name, outcome]) => mistake(name, feature, outcome, base.get(name)) ?? [],
      );
      assert.deepEqual(wrong, []);
    });
  }

  test('every strategy uses a feature that the expectations say has no other way', () => {
    for (const { metadata } of modules) {
      const { name } = metadata;
      const strategies = readProfile(profiles, name).strategies.filter(({ manual }) => !manual);
      for (const strategy of strategies) {
        const own = featuresOf(createBpfHost(), installation.bpfObject(name), [strategy]);
        const spared = (NO_OTHER_WAY[name] ?? []).filter((id) => !own.has(id));
        assert.deepEqual(spared, [], `${name} by ${strategy.name}`);
      }
    }
  });

  test('the expectations name only features that a plugin uses', () => {
    for (const [name, own] of uses) {
      const all = [...(NO_OTHER_WAY[name] ?? []), ...Object.keys(EXPECTED[name] ?? {})];
      const unknown = all.filter((id) => !own.has(id));
      assert.deepEqual(
        unknown.filter((id) => !isElsewhere(name, id)),
        [],
      );
    }
  });
});

/** Whether a way that this kernel lacks the facts for uses it. */
function isElsewhere(name: string, id: string): boolean {
  const { strategies, parts = [] } = readProfile(profiles, name);
  const all = [...strategies, ...parts.flatMap(({ choices }) => choices)];
  return featuresOf(createBpfHost(), installation.bpfObject(name), all).has(id);
}
