/** Every plugin of the agent; one line each. */
import type { PluginModule } from '../core/plugin.js';

export const plugins: readonly PluginModule[] = [];
