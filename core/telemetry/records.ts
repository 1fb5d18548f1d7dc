/** Events and spans in the SDK's terms. Pure. */
import { SeverityNumber, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { InstrumentationScope } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Severity } from '../metadata.js';
import type { EventRecord, SpanRecord } from './events.js';
import { toAttributes, toHrTime } from './metric-data.js';

const SEVERITIES: Readonly<Record<Severity, SeverityNumber>> = {
  DEBUG: SeverityNumber.DEBUG,
  INFO: SeverityNumber.INFO,
  WARN: SeverityNumber.WARN,
  ERROR: SeverityNumber.ERROR,
};

/** Makes records of one agent: one resource, one scope a plugin (the SDK groups by identity). */
export class RecordMaker {
  readonly #resource: Resource;
  readonly #version: string;
  readonly #scopes = new Map<string, InstrumentationScope>();

  constructor(resource: Resource, version: string) {
    this.#resource = resource;
    this.#version = version;
  }

  /** `observedAt`: when the agent learned of it, Unix ms. */
  logRecord(event: EventRecord, observedAt: number): ReadableLogRecord {
    return {
      hrTime: toHrTime(event.time),
      hrTimeObserved: toHrTime(observedAt),
      severityNumber: SEVERITIES[event.severity],
      severityText: event.severity,
      eventName: event.event,
      body: event.body,
      attributes: toAttributes(event.attributes),
      droppedAttributesCount: 0,
      resource: this.#resource,
      instrumentationScope: this.#scope(event.plugin),
    };
  }

  span(span: SpanRecord): ReadableSpan {
    const context = { ...span.ids, traceFlags: TraceFlags.SAMPLED };
    return {
      name: span.name,
      kind: SpanKind.INTERNAL,
      spanContext: () => context,
      startTime: toHrTime(span.startTime),
      endTime: toHrTime(span.endTime),
      duration: toHrTime(span.endTime - span.startTime),
      ended: true,
      status: { code: SpanStatusCode.UNSET },
      attributes: toAttributes(span.attributes),
      links: [],
      events: [],
      resource: this.#resource,
      instrumentationScope: this.#scope(span.plugin),
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }

  #scope(plugin: string): InstrumentationScope {
    const known = this.#scopes.get(plugin);
    if (known) return known;
    const scope = { name: `mem-watcher.${plugin}`, version: this.#version };
    this.#scopes.set(plugin, scope);
    return scope;
  }
}
