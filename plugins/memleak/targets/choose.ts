/** Which processes are targets, and by which entry of the configuration. Pure. */
import { containerOf } from '../../../core/identity/cgroup.js';
import { isContainer, namePattern } from '../../../core/identity/filter.js';
import { type Candidate, keyOf, namesOf } from './candidate.js';
import type { TargetConfig } from './config.js';

type Test = (candidate: Candidate) => boolean;

/** An entry of the configuration, made ready. */
export interface Rule {
  readonly config: TargetConfig;
  readonly matches: Test;
}

export interface Chosen {
  readonly candidate: Candidate;
  readonly rule: Rule;
}

export interface Choice {
  readonly chosen: readonly Chosen[];
  /** Match, and are beyond `max`. */
  readonly omitted: number;
  /** Pids that the configuration names, and nobody has. */
  readonly absent: readonly number[];
}

export function makeRules(targets: readonly TargetConfig[]): Rule[] {
  return targets.map((config) => ({ config, matches: testOf(config) }));
}

/**
 * At most `max`, in the order of the configuration, who began first before others: so the choice is
 * the same each time. `adopted` are children of targets, by key, with their parent's rule; who is
 * `held` already keeps its place before newcomers.
 */
export function choose(
  candidates: Iterable<Candidate>,
  rules: readonly Rule[],
  {
    max,
    adopted = new Map(),
    held = new Set(),
  }: {
    readonly max: number;
    readonly adopted?: ReadonlyMap<string, Rule>;
    readonly held?: ReadonlySet<string>;
  },
): Choice {
  const found: Chosen[] = [];
  const missing = new Set(rules.flatMap(({ config: { pid } }) => (pid === undefined ? [] : [pid])));
  for (const candidate of candidates) {
    missing.delete(candidate.pid);
    const rule = rules.find(({ matches }) => matches(candidate)) ?? adopted.get(keyOf(candidate));
    // Whoever is of the kernel is a target only of who asks for it by number, to be told why not.
    if (!rule || (candidate.kernelThread && rule.config.pid === undefined)) continue;
    found.push({ candidate, rule });
  }
  const rank = ({ candidate, rule }: Chosen) =>
    (held.has(keyOf(candidate)) ? 0 : 1) * rules.length + rules.indexOf(rule);
  found.sort(
    (a, b) =>
      rank(a) - rank(b) ||
      a.candidate.startTicks - b.candidate.startTicks ||
      a.candidate.pid - b.candidate.pid,
  );
  return {
    chosen: found.slice(0, max),
    omitted: Math.max(0, found.length - max),
    absent: [...missing],
  };
}

function testOf({ pid, executable, cgroup, container, unit }: TargetConfig): Test {
  if (pid !== undefined) return (candidate) => candidate.pid === pid;
  if (executable !== undefined) return executableTest(executable);
  if (cgroup !== undefined) return cgroupTest(cgroup);
  if (container !== undefined) return containerTest(container);
  if (unit !== undefined) return unitTest(unit);
  return () => false;
}

function executableTest(text: string): Test {
  const pattern = namePattern(text);
  const isPath = text.startsWith('/') ? !/^\/.+\/i?$/s.test(text) : text.includes('/');
  if (!isPath) return (candidate) => namesOf(candidate).some((name) => pattern.test(name));
  return ({ executable }) => executable !== undefined && pattern.test(executable);
}

function cgroupTest(text: string): Test {
  const prefix = text.replace(/\/+$/, '');
  return (candidate) =>
    candidate.cgroups().some((path) => path === prefix || path.startsWith(`${prefix}/`));
}

function containerTest(id: string): Test {
  return (candidate) =>
    candidate.cgroups().some((path) => isContainer(containerOf(path).containerId, id));
}

/** systemd's cgroups have the unit's name: /system.slice/nginx.service. */
function unitTest(text: string): Test {
  const unit = /\.(service|scope|slice|socket|mount|swap)$/.test(text) ? text : `${text}.service`;
  return (candidate) => candidate.cgroups().some((path) => path.split('/').includes(unit));
}
