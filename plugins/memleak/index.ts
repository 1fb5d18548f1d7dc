import { definePlugin } from '../../core/plugin.js';
import { metadata } from './metadata.js';
import type { LeakSnapshot } from './model.js';
import { leaks } from './output/leaks.js';
import { Memleak } from './plugin.js';
import { report } from './report.js';
import { view } from './view.js';

export const memleak = definePlugin<typeof metadata, LeakSnapshot>({
  metadata,
  Plugin: Memleak,
  report,
  view,
  commands: [leaks],
});
