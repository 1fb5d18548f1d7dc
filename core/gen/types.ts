import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Btf } from '../bpf/btf.js';
import type { FieldType, StructLayout } from '../bpf/layout.js';
import { structLayoutById } from '../bpf/struct.js';
import { MemWatcherError } from '../errors.js';

/** Where the types of a plugin's object go. */
export function typesPath(root: string, plugin: string): string {
  return join(root, 'plugins', plugin, 'events.gen.ts');
}

/**
 * The TypeScript interfaces of every struct that crosses from a plugin's BPF objects: what a map is keyed or
 * valued with, and the records of its rings (by the scratch map that RING declares). Types only:
 * the decoders derive from the object itself when it is loaded.
 *
 * LAYOUT_INVALID if a struct has members that cannot cross (`structLayout`).
 */
export function generateTypes(...objectFiles: readonly string[]): string {
  const interfaces = new Map<string, string>();
  for (const file of objectFiles) {
    const btf = Btf.ofObject(readFileSync(file));
    const ofFile = new Map<string, string>();
    for (const layout of crossing(btf)) addInterface(ofFile, layout);
    for (const [name, text] of ofFile) {
      const known = interfaces.get(name);
      if (known !== undefined && known !== text) {
        const message = `${basename(file)} has another ${name} than the plugin's other objects`;
        throw new MemWatcherError('LAYOUT_INVALID', message, { hint: 'give it another name' });
      }
      interfaces.set(name, text);
    }
  }
  const sources = objectFiles.map((file) => basename(file).replace(/\.o$/, '.c')).join(' and ');
  return [
    `// Generated from ${sources} by \`npm run gen\`; do not edit.\n`,
    ...[...interfaces.keys()].sort().map((name) => `\n${interfaces.get(name)}`),
  ].join('');
}

/** The layouts of the structs that the object's maps name as key or value. */
function crossing(btf: Btf): StructLayout[] {
  const layouts: StructLayout[] = [];
  for (const [mapName, { type: map }] of btf.globals('.maps')) {
    // Every object's, and read by the core.
    if (mapName === 'stats') continue;
    const definition = btf.resolve(map);
    if (definition.kind !== 'struct') continue;
    for (const { name, type } of definition.members) {
      if (name !== 'key' && name !== 'value') continue;
      const pointer = btf.resolve(type);
      if (pointer.kind !== 'pointer' || btf.resolve(pointer.target).kind !== 'struct') continue;
      layouts.push(structLayoutById(btf, pointer.target));
    }
  }
  return layouts;
}

function addInterface(interfaces: Map<string, string>, layout: StructLayout): void {
  const members = layout.fields.map(
    ({ name, type }) => `${comment(type)}  readonly ${name}: ${typeText(interfaces, type)};\n`,
  );
  interfaces.set(
    typeName(layout.name),
    `/** struct ${layout.name}, ${layout.size} bytes. */\n` +
      `export interface ${typeName(layout.name)} {\n${members.join('')}}\n`,
  );
}

function typeText(interfaces: Map<string, string>, type: FieldType): string {
  switch (type.kind) {
    case 'int':
      return 'number';
    case 'chars':
      return 'string';
    case 'array':
      return `readonly ${typeText(interfaces, type.element).replace(/^readonly .*/, '($&)')}[]`;
    case 'struct':
      addInterface(interfaces, type.layout);
      return typeName(type.layout.name);
  }
}

function comment(type: FieldType): string {
  if (type.kind === 'array') return `  /** ${type.length} elements. */\n`;
  return type.kind === 'chars' ? `  /** char[${type.length}]. */\n` : '';
}

/** `paf_event` → `PafEvent`. */
function typeName(struct: string): string {
  return struct.replace(/(?:^|[^a-zA-Z0-9]+)([a-zA-Z0-9])/g, (_, letter: string) =>
    letter.toUpperCase(),
  );
}
