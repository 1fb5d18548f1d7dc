import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { agentJsonSchema, editorSchema } from '../config/json-schema.js';
import { describeMetadata, describePlugin } from '../description.js';
import { MemWatcherError } from '../errors.js';
import { ProfileSchema, readProfile } from '../kernel/profile.js';
import { GfpTableSchema } from '../memory/gfp-table.js';
import { objectNames } from '../metadata.js';
import type { PluginModule } from '../plugin.js';
import { selfMetadata } from '../telemetry/self.metadata.js';
import { agentYaml, shownDefaults } from './agent-yaml.js';
import { grafanaDashboard } from './dashboard.js';
import { readDecisions, renewDecisions } from './decisions.js';
import { renewReadme } from './readme.js';
import { generateTypes, typesPath } from './types.js';

/** A file that is derived from others, as it should be. */
export interface Output {
  readonly path: string;
  readonly content: string;
}

/** Every generated file of the repository at `root`; nothing is written. */
export function outputs(root: string, plugins: readonly PluginModule[]): Output[] {
  const profiles = join(root, 'config', 'kernel');
  const strategies = (plugin: string) =>
    readProfile(profiles, plugin).strategies.map(({ name }) => name);
  const schema = editorSchema(agentJsonSchema(plugins, strategies), shownDefaults(plugins));
  const kernelSchema = z.toJSONSchema(ProfileSchema, { io: 'input' });
  const gfpSchema = z.toJSONSchema(GfpTableSchema, { io: 'input' });
  return [
    { path: join(root, 'config', 'agent.yaml'), content: agentYaml(plugins) },
    { path: join(root, 'config', 'gen', 'agent.schema.json'), content: json(schema) },
    { path: join(root, 'config', 'gen', 'kernel.schema.json'), content: json(kernelSchema) },
    { path: join(root, 'config', 'gen', 'gfp.schema.json'), content: json(gfpSchema) },
    ...[...plugins.map(({ metadata }) => metadata), selfMetadata].map((metadata) => ({
      path: join(root, 'config', 'gen', `${metadata.name}.dashboard.json`),
      content: json(grafanaDashboard(metadata)),
    })),
    ...renewed(join(root, 'docs', 'self-telemetry.md'), describeMetadata(selfMetadata)),
    decisionsOutput(join(root, 'docs', 'decisions')),
    ...plugins.flatMap((module) => pluginOutputs(root, profiles, module)),
  ];
}

/** Those whose file is not as it should be. */
export function stale(outputs: readonly Output[]): Output[] {
  return outputs.filter(
    ({ path, content }) => !existsSync(path) || readFileSync(path, 'utf8') !== content,
  );
}

function pluginOutputs(root: string, profiles: string, module: PluginModule): Output[] {
  const { name } = module.metadata;
  const names = objectNames(module.metadata);
  const objects = names.map((each) => join(root, 'dist', 'bpf', `${each}.bpf.o`));
  for (const object of objects) {
    if (existsSync(object)) continue;
    throw new MemWatcherError('BPF_OPEN_FAILED', `${object} is not built`, {
      hint: 'make -C bpf builds it',
    });
  }
  const description = describePlugin(
    module,
    names.map((each) => readProfile(profiles, each)),
  );
  return [
    { path: typesPath(root, name), content: generateTypes(...objects) },
    ...renewed(join(root, 'plugins', name, 'README.md'), description),
  ];
}

function decisionsOutput(folder: string): Output {
  const path = join(folder, 'README.md');
  return { path, content: renewDecisions(readFileSync(path, 'utf8'), readDecisions(folder)) };
}

/** A page with tables, if it has been written yet. */
function renewed(path: string, description: Parameters<typeof renewReadme>[1]): Output[] {
  if (!existsSync(path)) return [];
  return [{ path, content: renewReadme(readFileSync(path, 'utf8'), description) }];
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
