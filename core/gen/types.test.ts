import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { generateTypes, typesPath } from './types.js';

const object = (name: string) => fileURLToPath(new URL(`../../bpf/${name}.bpf.o`, import.meta.url));

test('every struct that crosses by a map becomes an interface', () => {
  assert.equal(
    generateTypes(object('kit')),
    `// Generated from kit.bpf.c by \`npm run gen\`; do not edit.

/** struct kit_key, 8 bytes. */
export interface KitKey {
  readonly group: number;
  readonly index: number;
}

/** struct kit_slot, 40 bytes. */
export interface KitSlot {
  readonly count: number;
  readonly signed_wide: number;
  readonly narrow: number;
  readonly signed_narrow: number;
  /** char[16]. */
  readonly name: string;
}

/** struct kit_task, 24 bytes. */
export interface KitTask {
  readonly tgid: number;
  readonly pid: number;
  /** char[16]. */
  readonly comm: string;
}
`,
  );
});

test('records of rings are found by their scratch map, arrays keep their elements', () => {
  const types = generateTypes(object('flood'));
  assert.match(types, /export interface FloodRecord \{[^}]*readonly producer: number;/);
  assert.match(types, /\/\*\* 4 elements\. \*\/\n {2}readonly fill: readonly number\[\];/);
  assert.doesNotMatch(types, /MwStats/);
});

test('of several objects each struct is said once, and one name means one struct', () => {
  const types = generateTypes(object('kit'), object('flood'));
  assert.match(types, /^\/\/ Generated from kit\.bpf\.c and flood\.bpf\.c by /);
  assert.match(types, /export interface KitTask /);
  assert.match(types, /export interface FloodRecord /);
  assert.equal(generateTypes(object('kit'), object('kit')).match(/interface KitTask /g)?.length, 1);
});

test('the types lie beside the plugin', () => {
  assert.equal(typesPath('/repo', 'paf'), '/repo/plugins/paf/events.gen.ts');
});
