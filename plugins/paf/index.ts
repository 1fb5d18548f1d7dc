import { definePlugin } from '../../core/plugin.js';
import { metadata } from './metadata.js';
import { Paf } from './plugin.js';
import type { PafRecords } from './records.js';
import { report } from './report.js';
import { view } from './view.js';

export const paf = definePlugin<typeof metadata, PafRecords>({
  metadata,
  Plugin: Paf,
  report,
  view,
});
