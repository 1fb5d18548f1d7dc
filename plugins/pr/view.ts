import type { View } from '../../core/cli/view.js';
import type { ReclaimSnapshot } from './reclaim.js';

export const view: View<ReclaimSnapshot> = {
  alias: 'p',
  summary: 'page reclaim: who waited for memory, how long, and what became of the pages',
  options: [],
  tables: () => [],
  overview: () => [],
};
