import { randomBytes } from 'node:crypto';
import type { SpanIds } from './events.js';

/** Of a span that is a trace of its own. */
export function newSpanIds(): SpanIds {
  return { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') };
}
