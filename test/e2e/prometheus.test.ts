/** What Prometheus would scrape, beside what the agent shows of the same collection. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AgentProcess, type PointLine } from './agent.js';
import { freePort } from './collector.js';

const skip = process.getuid?.() === 0 ? false : 'root is needed to load BPF programs';

test('a scrape has the points of one collection, under Prometheus’ names', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mem-watcher-e2e-'));
  const port = await freePort();
  const agent = new AgentProcess({
    dir,
    config: { interval: '300ms', exporters: { prometheus: { port } } },
  });
  let text = '';
  try {
    await agent.collected(3);
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
    text = await response.text();
    await agent.collected(agent.collections + 1);
  } finally {
    assert.equal(await agent.stop(), 0);
  }
  const samples = [...text.matchAll(/^([a-z_0-9]+)\{(.*)\} (\S+)/gm)];
  const own = agent.lines.filter((line) => line.plugin === 'procstat');
  const values = new Map(own.map((line) => [`${prometheusKey(line)} ${line.value}`, line]));
  const scraped = samples.filter(([, name]) => name === 'process_memory_usage');
  assert.ok(scraped.length > 5, text.slice(0, 2000));
  for (const [, name = '', labels = '', value] of scraped) {
    const pid = /process_pid="(\d*)"/.exec(labels)?.[1] ?? '';
    assert.ok(
      values.has(`${name} ${pid} ${value}`),
      `nothing shown is ${name}{${labels}} ${value}`,
    );
  }
  assert.match(text, /^# TYPE process_memory_usage gauge$/m);
  assert.match(text, /^# TYPE process_context_switches_total counter$/m);
  assert.match(text, /^target_info\{.*service_name="mem-watcher".*\} 1/m);
  rmSync(dir, { recursive: true, force: true });
});

const prometheusKey = (line: PointLine): string =>
  `${line.name.replaceAll('.', '_')} ${line.attributes['process.pid'] ?? ''}`;
