/** Every plugin of the agent; one line each. */
import type { PluginModule } from '../core/plugin.js';
import { memleak } from './memleak/index.js';
import { paf } from './paf/index.js';
import { pr } from './pr/index.js';
import { procstat } from './procstat/index.js';
import { sysstat } from './sysstat/index.js';

export const plugins: readonly PluginModule[] = [sysstat, procstat, paf, pr, memleak];
