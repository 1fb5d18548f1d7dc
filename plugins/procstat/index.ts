import { definePlugin } from '../../core/plugin.js';
import { metadata } from './metadata.js';
import { ProcstatPlugin } from './plugin.js';
import { report } from './report.js';
import { view } from './view.js';

export const procstat = definePlugin({ metadata, Plugin: ProcstatPlugin, report, view });
