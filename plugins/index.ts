/** Every plugin of the agent; one line each. */
import type { PluginModule } from '../core/plugin.js';
import { procstat } from './procstat/index.js';
import { sysstat } from './sysstat/index.js';

export const plugins: readonly PluginModule[] = [sysstat, procstat];
