import type { PointWriter } from '../../core/telemetry/points.js';
import { histogramOf } from './durations.js';
import type { PrMetadata } from './metadata.js';
import {
  PAGE_STATES,
  type ProcessReport,
  type ReclaimSnapshot,
  SPAN_FATES,
  type TypeReport,
  UNMEASURED,
} from './reclaim.js';

type Out = PointWriter<PrMetadata>;

/** A snapshot → metric points. */
export function report(snapshot: ReclaimSnapshot, out: Out): void {
  for (const type of snapshot.types) reportType(type, out);
  reportPages(snapshot, out);
  for (const { attributes, ns, startTime } of snapshot.stalls) {
    out.point('memwatcher.reclaim.stalled', ns / 1e9, attributes, startTime);
  }
  for (const process of snapshot.processes) reportProcess(process, out);
  reportRest(snapshot, out);
}

function reportType({ type, durations, figures, running }: TypeReport, out: Out): void {
  const attributes = { 'memwatcher.reclaim.type': type };
  out.histogram('memwatcher.reclaim.duration', histogramOf(durations), attributes);
  out.point('memwatcher.reclaim.requested', figures.requested, attributes);
  out.point('memwatcher.reclaim.active', running, attributes);
}

/** By type over the nodes; a type of which nothing was seen begins at 0, but its states are unknown. */
function reportPages({ types, pages }: ReclaimSnapshot, out: Out): void {
  const seen = new Set([...types, ...pages].map(({ type }) => type));
  for (const type of seen) {
    const rows = pages.filter((row) => row.type === type);
    const attributes = { 'memwatcher.reclaim.type': type };
    out.point('memwatcher.reclaim.scanned', sum(rows.map(({ scanned }) => scanned)), attributes);
    out.point('memwatcher.reclaim.reclaimed', sum(rows.map((row) => row.reclaimed)), attributes);
    for (const state of rows.length > 0 ? PAGE_STATES : []) {
      const value = sum(rows.map(({ states }) => states[state]));
      const of = { ...attributes, 'memwatcher.reclaim.page.state': state };
      out.point('memwatcher.reclaim.encountered', value, of);
    }
  }
  for (const { type, node, scanned, reclaimed } of pages) {
    const attributes = { 'memwatcher.numa.node': node, 'memwatcher.reclaim.type': type };
    out.point('memwatcher.numa.reclaim.scanned', scanned, attributes);
    out.point('memwatcher.numa.reclaim.reclaimed', reclaimed, attributes);
  }
}

function reportProcess({ type, attributes, figures, startTime }: ProcessReport, out: Out): void {
  const of = { ...attributes, 'memwatcher.reclaim.type': type };
  out.point('memwatcher.process.reclaim.duration', figures.ns / 1e9, of, startTime);
  out.point('memwatcher.process.reclaim.episodes', figures.episodes, of, startTime);
}

function reportRest(snapshot: ReclaimSnapshot, out: Out): void {
  for (const { type, order, flags, figures, startTime } of snapshot.requests) {
    const attributes = {
      'memwatcher.reclaim.type': type,
      'memwatcher.reclaim.order': order,
      'memwatcher.reclaim.gfp_flags': flags,
      'memwatcher.reclaim.other': order === undefined ? true : undefined,
    };
    out.point('memwatcher.reclaim.requests', figures.episodes, attributes, startTime);
  }
  for (const { reason, count, ns } of snapshot.throttles ?? []) {
    const attributes = { 'memwatcher.reclaim.throttle.reason': reason };
    out.point('memwatcher.reclaim.throttles', count, attributes);
    out.point('memwatcher.reclaim.throttled', ns / 1e9, attributes);
  }
  for (const { node, count } of snapshot.wakeups ?? []) {
    out.point('memwatcher.reclaim.kswapd.wakeups', count, { 'memwatcher.numa.node': node });
  }
  for (const direction of ['in', 'out'] as const) {
    const attributes = { 'system.paging.direction': direction };
    out.point('system.paging.operations', snapshot.swap?.[direction], attributes);
  }
  for (const reason of UNMEASURED) {
    const attributes = { 'memwatcher.reclaim.unmeasured.reason': reason };
    out.point('memwatcher.reclaim.unmeasured', snapshot.unmeasured[reason], attributes);
  }
  for (const fate of SPAN_FATES) {
    out.point('memwatcher.reclaim.spans', snapshot.spans[fate], { 'memwatcher.span.fate': fate });
  }
}

/** undefined if one of them is. */
function sum(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce<number | undefined>(
    (total, value) => (total === undefined || value === undefined ? undefined : total + value),
    0,
  );
}
