/** Every form in which a snapshot can be written. */
import type { LeakSnapshot } from '../model.js';
import { foldedText } from './folded.js';
import { stacksNdjson } from './json.js';
import { originalText } from './original.js';
import { pprofBytes } from './pprof.js';
import { speedscopeText } from './speedscope.js';
import { flameGraph } from './svg.js';
import { verdictText } from './table-text.js';

export const FORMATS = [
  'table',
  'original',
  'json',
  'folded',
  'pprof',
  'speedscope',
  'svg',
] as const;
export type Format = (typeof FORMATS)[number];

const RENDERERS: Readonly<Record<Format, (snapshot: LeakSnapshot) => string | Uint8Array>> = {
  table: (snapshot) => verdictText(snapshot),
  original: originalText,
  json: stacksNdjson,
  folded: foldedText,
  pprof: pprofBytes,
  speedscope: speedscopeText,
  svg: flameGraph,
};

export const render = (format: Format, snapshot: LeakSnapshot): string | Uint8Array =>
  RENDERERS[format](snapshot);

/** What a terminal cannot show. */
export const isBinary = (format: Format): boolean => format === 'pprof';

/** What can be written again and again and still be read: blocks, or lines. */
export const canRepeat = (format: Format): boolean =>
  format === 'table' || format === 'original' || format === 'json';
