import { definePlugin } from '../../core/plugin.js';
import { metadata } from './metadata.js';
import { Pr } from './plugin.js';
import type { ReclaimSnapshot } from './reclaim.js';
import { report } from './report.js';
import { view } from './view.js';

export const pr = definePlugin<typeof metadata, ReclaimSnapshot>({
  metadata,
  Plugin: Pr,
  report,
  view,
});
