/**
 * The whole agent in a cgroup namespace of its own, as a container runtime gives it one: which
 * cgroup and container it reports for a process that has moved by the time its event is decoded.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { findInstallation } from '../../core/install.js';
import { runAlone } from '../../test/fakes/alone.js';
import { exhausted, UNKILLABLE } from '../../test/fakes/exhausted.js';
import { MemoryCgroup } from '../../test/fakes/memory-cgroup.js';
import { Pressure, press, pressureMissing } from '../../test/fakes/pressure.js';

const { root } = findInstallation(import.meta.url);
const IN_NAMESPACE = join(root, 'dist/test/fakes/cgroup-namespace');
const skip = pressureMissing() ?? MemoryCgroup.missing() ?? false;
const PATIENCE_MS = 120_000;
const COUNT = 'memwatcher.page_allocation.failure.count';

/** What the agent can see of the host's cgroups. */
type Mount = 'host-mount' | 'own-mount';

interface EventLine {
  readonly event?: string;
  readonly name?: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly value?: number;
}

describe('paf in a private cgroup namespace', { skip, timeout: 600_000 }, () => {
  runAlone();
  const folder = mkdtempSync(join(tmpdir(), 'paf-namespace-'));
  after(() => rmSync(folder, { recursive: true }));

  it('finds the cgroup by its id where the host’s cgroups are mounted', async () => {
    await withMovedProcess(folder, 'host-mount', ({ service, container, events }) => {
      const [served, contained] = [sumIn(events, service.path), sumIn(events, container.path)];
      assert.deepEqual([served.count, served.containers], [7, [undefined]]);
      assert.deepEqual([contained.count, contained.containers], [2, [container.id]]);
    });
  });

  it('reports no container where no mount confirms one, and counts the loss', async () => {
    await withMovedProcess(folder, 'own-mount', ({ events, lost }) => {
      for (const { attributes } of events) {
        assert.equal(attributes['container.id'], undefined);
        assert.equal(attributes['process.linux.cgroup'], undefined);
      }
      assert.equal(sum(events), 9);
      assert.ok(lost >= 2, `only ${lost} cgroups were counted as unknown`);
    });
  });
});

interface Moved {
  readonly service: { readonly path: string };
  readonly container: { readonly path: string; readonly id: string };
  readonly events: readonly EventLine[];
  /** Cgroups that the agent could not name. */
  readonly lost: number;
}

/** A process fails in a service, moves to a container and fails there; then another in the service. */
async function withMovedProcess(folder: string, mount: Mount, test: (moved: Moved) => void) {
  const id = randomBytes(32).toString('hex');
  // Siblings of the agent's group: /proc calls them `/../containerd.service`.
  const parent = `mem-watcher-namespace-${process.pid}`;
  const group = MemoryCgroup.make({ path: `${parent}/agent` });
  const service = exhausted(`${parent}/containerd.service`);
  const container = exhausted(`${parent}/${id}`);
  const agent = new NamespacedAgent(folder, group, mount);
  try {
    await agent.until(() => agent.lines.some(({ name }) => name !== undefined));
    const fail = [...UNKILLABLE, 'pipes=40', service.enter, 'pipe=3'];
    const mover = await Pressure.start([...fail, container.enter, 'pipe=2', 'wait']);
    await agent.until(() => sum(agent.eventsOf(mover.pid)) >= 5).finally(() => mover.stop());
    const [other] = press([...UNKILLABLE, 'pipes=40', service.enter, 'pipe=4']);
    const pids = [mover.pid, other?.pid];
    await agent.until(() => sum(agent.eventsOf(...pids)) >= 9);
    const events = agent.eventsOf(...pids);
    const at = agent.lines.length;
    await agent.until(() => agent.lines.slice(at).some(isLoss));
    const lost = agent.lines.findLast(isLoss)?.value ?? 0;
    const paths = { service: { path: service.path }, container: { path: container.path, id } };
    test({ ...paths, events, lost });
  } finally {
    await agent.stop();
    for (const each of [container, service, group]) each.remove();
  }
}

const isLoss = ({ attributes }: EventLine): boolean =>
  attributes['memwatcher.loss.reason'] === 'cgroup_gone' &&
  attributes['memwatcher.plugin'] === 'paf';

const sum = (events: readonly EventLine[]): number =>
  events.reduce((total, { attributes }) => total + Number(attributes[COUNT]), 0);

function sumIn(events: readonly EventLine[], path: string) {
  const there = events.filter(({ attributes }) =>
    String(attributes['process.linux.cgroup']).endsWith(path),
  );
  const containers = new Set(there.map(({ attributes }) => attributes['container.id']));
  return { count: sum(there), containers: [...containers] };
}

/** The built agent with paf alone, as a process in a namespace of its own. */
class NamespacedAgent {
  readonly lines: EventLine[] = [];
  readonly #process: ChildProcess;
  #errors = '';

  constructor(folder: string, group: MemoryCgroup, mount: Mount) {
    const config = join(folder, `${mount}.yaml`);
    writeFileSync(config, JSON.stringify(onlyPaf()));
    const [point, type] =
      group.version === 1 ? ['/sys/fs/cgroup/memory', 'cgroup'] : ['/sys/fs/cgroup', 'cgroup2'];
    const namespace = [join(group.dir, 'cgroup.procs'), mount, point, type];
    const agent = [process.execPath, join(root, 'dist/core/main.js')];
    const args = [...namespace, ...agent, 'run', '--json', '--config', config];
    this.#process = spawn(IN_NAMESPACE, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stderr?.on('data', (data) => {
      this.#errors += data;
    });
    if (this.#process.stdout === null) throw new Error('the agent has no output');
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as EventLine);
    });
  }

  eventsOf(...pids: readonly (number | undefined)[]): readonly EventLine[] {
    return this.lines.filter(
      ({ event, attributes }) =>
        event === 'memwatcher.page_allocation.failure' &&
        pids.includes(Number(attributes['process.pid'])),
    );
  }

  async until(what: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!what()) {
      assert.equal(this.#process.exitCode, null, `the agent ended: ${this.#errors}`);
      assert.ok(performance.now() < deadline, `it never became so: ${what}\n${this.#errors}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGTERM');
    await closed;
  }
}

const onlyPaf = () => ({
  interval: '1s',
  exporters: { prometheus: { enabled: false } },
  plugins: {
    paf: { window: '100ms' },
    pr: { enabled: false },
    procstat: { enabled: false },
    sysstat: { enabled: false },
  },
});
