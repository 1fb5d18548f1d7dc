import { definePlugin } from '../../core/plugin.js';
import type { SysstatRecords } from './memory.js';
import { metadata } from './metadata.js';
import { Sysstat } from './plugin.js';
import { report } from './report.js';
import { view } from './view.js';

export const sysstat = definePlugin<typeof metadata, SysstatRecords>({
  metadata,
  Plugin: Sysstat,
  report,
  view,
});
