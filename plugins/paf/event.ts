import type { CgroupIdentity } from '../../core/identity/cgroup-paths.js';
import { attributesOfWho } from '../../core/identity/who.js';
import type { GfpFlags } from '../../core/memory/gfp.js';
import type { EventAttributes } from '../../core/metadata.js';
import { formatKernelStack, type KernelFrame } from '../../core/symbolize/kernel-frame.js';
import type { Failure, FailureZone, MemcgCharge } from './failure.js';
import type { PafMetadata } from './metadata.js';
import type { ToldFailures } from './records.js';
import { attributesOfVerdict } from './verdict/verdict-attributes.js';

export const EVENT = 'memwatcher.page_allocation.failure';

export type FailureAttributes = EventAttributes<PafMetadata, typeof EVENT>;

export interface EventContext {
  readonly gfp: Pick<GfpFlags, 'describe' | 'highestZone'>;
  readonly migrateType: (value: number) => string;
  readonly cgroup: (charge: MemcgCharge, pid: number) => CgroupIdentity | undefined;
}

/** One sentence for people: what was refused to whom, and why. */
export function bodyOf(told: ToldFailures, { gfp }: EventContext): string {
  const { request, count, requester, verdict } = told;
  const mask = request.gfp === undefined ? '' : `, ${gfp.describe(request.gfp)}`;
  const what = count === 1 ? 'A page allocation' : `${count} page allocations`;
  const who = requester ? ` of ${requester.executable ?? requester.comm} (${requester.pid})` : '';
  const why = verdict ? `: ${verdict.sentence}` : '';
  return `${what}${who} failed, order ${request.order}${mask}${why}`;
}

/** What is not known is absent. */
export function attributesOf(told: ToldFailures, context: EventContext): FailureAttributes {
  const { request, requester, detail, count, others, last, frames } = told;
  return {
    ...(requester && attributesOfWho(requester)),
    'memwatcher.page_allocation.order': request.order,
    'memwatcher.page_allocation.migrate_type': context.migrateType(request.migrateType),
    'memwatcher.page_allocation.reason': told.verdict?.reason ?? 'unknown',
    'memwatcher.page_allocation.failure.count': count,
    'memwatcher.page_allocation.failure.last': new Date(last).toISOString(),
    ...(others > 0 && { 'memwatcher.page_allocation.failure.other_processes': others }),
    ...(request.gfp !== undefined && flagsOf(request.gfp, context)),
    ...(detail && detailOf(detail, context)),
    ...(told.verdict && attributesOfVerdict(told.verdict)),
    ...stackOf(frames),
  };
}

export const stackOf = (frames: readonly KernelFrame[]) =>
  frames.length > 0 ? { 'code.stacktrace': formatKernelStack(frames) } : {};

function flagsOf(mask: number, { gfp }: EventContext) {
  const zone = gfp.highestZone(mask);
  return {
    'memwatcher.page_allocation.gfp_flags': gfp.describe(mask),
    'memwatcher.page_allocation.gfp_mask': mask,
    ...(zone !== undefined && { 'memwatcher.page_allocation.zone': zone }),
  };
}

function detailOf(failure: Failure, context: EventContext) {
  const { requestedGfp, scopes, zones, otherNodes, memcg, requester } = failure;
  return {
    'memwatcher.page_allocation.node': failure.node,
    'memwatcher.page_allocation.node.source': failure.nodeFrom,
    ...(requestedGfp !== undefined && {
      'memwatcher.page_allocation.requested.gfp_flags': context.gfp.describe(requestedGfp),
      'memwatcher.page_allocation.requested.gfp_mask': requestedGfp,
    }),
    ...(scopes.length > 0 && { 'memwatcher.page_allocation.scopes': scopes }),
    ...(zones.length > 0 && zonesOf(zones)),
    ...(otherNodes.length > 0 && {
      'memwatcher.page_allocation.other_nodes': otherNodes.map(({ id }) => id),
      'memwatcher.page_allocation.other_nodes.free': otherNodes.map(({ free }) => free),
      'memwatcher.page_allocation.other_nodes.needed': otherNodes.map(({ needed }) => needed),
    }),
    ...(memcg && chargeOf(memcg, context.cgroup(memcg, requester.pid))),
  };
}

function zonesOf(zones: readonly FailureZone[]) {
  const each = (figure: (zone: FailureZone) => number) => zones.map(figure);
  const asked = zones.findLast(({ eligible, managed }) => eligible && managed > 0);
  return {
    'memwatcher.page_allocation.zones': zones.map(({ name }) => name),
    'memwatcher.page_allocation.zones.free': each(({ free }) => free),
    'memwatcher.page_allocation.zones.free_cma': each(({ freeCma }) => freeCma),
    'memwatcher.page_allocation.zones.reserved_highatomic': each((zone) => zone.reservedHighatomic),
    'memwatcher.page_allocation.zones.min': each(({ watermark }) => watermark.min),
    'memwatcher.page_allocation.zones.low': each(({ watermark }) => watermark.low),
    'memwatcher.page_allocation.zones.high': each(({ watermark }) => watermark.high),
    'memwatcher.page_allocation.zones.present': each(({ present }) => present),
    'memwatcher.page_allocation.zones.managed': each(({ managed }) => managed),
    'memwatcher.page_allocation.zones.kept': each(({ kept }) => kept),
    'memwatcher.page_allocation.zones.reclaimable_file': each(({ file }) => file),
    'memwatcher.page_allocation.zones.reclaimable_anon': each(({ anon }) => anon),
    ...(asked && {
      'memwatcher.page_allocation.free_blocks': asked.blocks.map(({ count }) => count),
    }),
  };
}

function chargeOf({ counter, usage, limit }: MemcgCharge, cgroup: CgroupIdentity | undefined) {
  return {
    ...(cgroup && { 'memwatcher.page_allocation.memcg': cgroup.path }),
    'memwatcher.page_allocation.memcg.counter': counter,
    'memwatcher.page_allocation.memcg.usage': usage,
    ...(limit !== undefined && { 'memwatcher.page_allocation.memcg.limit': limit }),
  };
}
