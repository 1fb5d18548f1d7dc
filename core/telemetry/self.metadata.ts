/** What the agent says of itself. Its own memory and CPU are here, never among the watched. */
import * as z from 'zod';
import { defineMetadata } from '../metadata.js';

export const selfMetadata = defineMetadata({
  name: 'agent',
  title: 'The agent itself',
  description:
    'Whether each plugin sees, by which strategy and at what price; what was missed, lost or ' +
    'could not be read; what became of everything that was exported.',
  attributes: {
    'memwatcher.plugin': { type: 'string', description: 'The plugin', example: 'procstat' },
    'memwatcher.plugin.state': {
      type: 'string',
      description: 'The value is 1 for the state that the plugin is in, 0 for the others',
      values: ['starting', 'ok', 'degraded', 'failed', 'stopped'],
    },
    'memwatcher.plugin.strategy': {
      type: 'string',
      description: 'The way to see that the plugin chose on this kernel',
      example: 'iter_task',
      optional: true,
    },
    'memwatcher.plugin.reason': {
      type: 'string',
      description: 'Why the plugin is not ok',
      optional: true,
      example: 'the map by_pid is full',
    },
    'memwatcher.plugin.lacks': {
      type: 'string[]',
      description: 'What this kernel does not give the plugin by its strategy; no fault',
      optional: true,
      example: ['wake-ups of kswapd'],
    },
    'memwatcher.collection.outcome': {
      type: 'string',
      description: 'missed: reading failed, or had not ended at the deadline (collect_timeout)',
      values: ['done', 'missed'],
    },
    'memwatcher.loss.reason': {
      type: 'string',
      description:
        'Where the record was lost; cgroup_gone: it is there, without the name of its cgroup',
      values: ['ring_full', 'map_full', 'read_failure', 'decode_error', 'cgroup_gone'],
    },
    'memwatcher.bpf.program': { type: 'string', description: 'The BPF program' },
    'memwatcher.bpf.map': { type: 'string', description: 'The BPF map' },
    'memwatcher.exporter': {
      type: 'string',
      description: 'The name under exporters.otlp, or prometheus',
      example: 'default',
    },
    'memwatcher.signal': {
      type: 'string',
      description: 'What is exported',
      values: ['metrics', 'logs', 'traces'],
    },
    'memwatcher.export.outcome': {
      type: 'string',
      description:
        'sent: accepted. failed: the request was refused for good. rejected: refused within an ' +
        'accepted request. dropped: the queue was full, or the agent stopped',
      values: ['sent', 'failed', 'rejected', 'dropped'],
    },
    'memwatcher.export.delta.drop_reason': {
      type: 'string',
      description:
        'series_limit: the plugin has too many series to remember. out_of_order: a later ' +
        'collection was converted before',
      values: ['series_limit', 'out_of_order'],
    },
    'memwatcher.exporter.state': {
      type: 'string',
      description: 'The value is 1 for the state that the exporter is in, 0 for the others',
      values: ['idle', 'ok', 'failing'],
    },
    'cpu.mode': { type: 'string', description: 'Where', values: ['user', 'system'] },
  },
  metrics: {
    'memwatcher.agent.plugin.status': {
      kind: 'gauge',
      unit: '1',
      description: 'State of each plugin',
      attributes: ['memwatcher.plugin', 'memwatcher.plugin.state'],
    },
    'memwatcher.agent.plugin.strategy': {
      kind: 'gauge',
      unit: '1',
      description: 'Strategy of each plugin; always 1',
      attributes: ['memwatcher.plugin', 'memwatcher.plugin.strategy'],
    },
    'memwatcher.agent.plugin.collections': {
      kind: 'counter',
      unit: '{collection}',
      description: 'Collections of each plugin',
      attributes: ['memwatcher.plugin', 'memwatcher.collection.outcome'],
    },
    'memwatcher.agent.plugin.collection.duration': {
      kind: 'gauge',
      unit: 's',
      description: 'Time that the last collection took, reading and decoding',
      valueType: 'double',
      attributes: ['memwatcher.plugin'],
    },
    'memwatcher.agent.plugin.losses': {
      kind: 'counter',
      unit: '{record}',
      description: 'Records that were lost or could not be read',
      attributes: ['memwatcher.plugin', 'memwatcher.loss.reason'],
    },
    'memwatcher.agent.bpf.program.runs': {
      kind: 'counter',
      unit: '{run}',
      description: 'Runs of each BPF program; only while kernel.bpf_stats_enabled is on',
      attributes: ['memwatcher.plugin', 'memwatcher.bpf.program'],
    },
    'memwatcher.agent.bpf.program.run_time': {
      kind: 'counter',
      unit: 's',
      description: 'Time spent in each BPF program; only while kernel.bpf_stats_enabled is on',
      valueType: 'double',
      attributes: ['memwatcher.plugin', 'memwatcher.bpf.program'],
    },
    'memwatcher.agent.bpf.program.missed_runs': {
      kind: 'counter',
      unit: '{run}',
      description:
        'Runs that the kernel skipped because the program was running on that CPU already',
      attributes: ['memwatcher.plugin', 'memwatcher.bpf.program'],
    },
    'memwatcher.agent.bpf.map.memory': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Kernel memory of each BPF map, which is in no process',
      attributes: ['memwatcher.plugin', 'memwatcher.bpf.map'],
    },
    'memwatcher.agent.bpf.map.fullness': {
      kind: 'gauge',
      unit: '1',
      description: 'Share of a map or ring that is in use, 0 to 1',
      valueType: 'double',
      attributes: ['memwatcher.plugin', 'memwatcher.bpf.map'],
    },
    'memwatcher.agent.memory.usage': {
      kind: 'updowncounter',
      unit: 'By',
      description: 'Resident memory of the agent',
      attributes: [],
    },
    'memwatcher.agent.cpu.time': {
      kind: 'counter',
      unit: 's',
      description: 'CPU time of the agent',
      valueType: 'double',
      attributes: ['cpu.mode'],
    },
    'memwatcher.agent.export.items': {
      kind: 'counter',
      unit: '{item}',
      description: 'Metric points, log records and spans, by what became of them',
      attributes: ['memwatcher.exporter', 'memwatcher.signal', 'memwatcher.export.outcome'],
    },
    'memwatcher.agent.export.retries': {
      kind: 'counter',
      unit: '{attempt}',
      description: 'Attempts that failed and were repeated',
      attributes: ['memwatcher.exporter', 'memwatcher.signal'],
    },
    'memwatcher.agent.export.queue.items': {
      kind: 'gauge',
      unit: '{item}',
      description: 'Items that wait for their endpoint',
      attributes: ['memwatcher.exporter', 'memwatcher.signal'],
    },
    'memwatcher.agent.export.queue.size': {
      kind: 'gauge',
      unit: 'By',
      description: 'Memory of what waits, encoded and compressed',
      attributes: ['memwatcher.exporter', 'memwatcher.signal'],
    },
    'memwatcher.agent.export.delta.series': {
      kind: 'gauge',
      unit: '{series}',
      description: 'Series of each plugin that are remembered in order to send them as delta',
      attributes: ['memwatcher.exporter', 'memwatcher.plugin'],
    },
    'memwatcher.agent.export.delta.dropped': {
      kind: 'counter',
      unit: '{point}',
      description: 'Points of each plugin that could not be converted to delta',
      attributes: [
        'memwatcher.exporter',
        'memwatcher.plugin',
        'memwatcher.export.delta.drop_reason',
      ],
    },
    'memwatcher.agent.export.status': {
      kind: 'gauge',
      unit: '1',
      description: 'State of each exporter',
      attributes: ['memwatcher.exporter', 'memwatcher.signal', 'memwatcher.exporter.state'],
    },
  },
  events: {
    'memwatcher.agent.plugin.status_change': {
      description:
        'A plugin changed its state. ERROR where it failed, WARN where it is degraded, else INFO',
      severity: 'INFO',
      attributes: [
        'memwatcher.plugin',
        'memwatcher.plugin.state',
        'memwatcher.plugin.strategy',
        'memwatcher.plugin.reason',
        'memwatcher.plugin.lacks',
      ],
    },
  },
  spans: {},
  config: z.strictObject({}),
});
export type SelfMetadata = typeof selfMetadata;
