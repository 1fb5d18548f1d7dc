/**
 * config/kernel/<plugin>.yaml: the ways in which a plugin can see, in order of preference, and the
 * facts that each needs. The types are in `kernel.ts`; here is the file's form and its checking.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { UPROBE_KINDS } from '../bpf/host.js';
import { check, type Mistake } from '../config/check.js';
import { ConfigError } from '../config/problem.js';
import { ConfigSource } from '../config/source.js';
import { describeError, MemWatcherError } from '../errors.js';
import { isCapability } from './capabilities.js';
import type { Fact, KernelProfile, Parameter } from './kernel.js';

const text = () => z.string().min(1);

const FactKeys = z.strictObject({
  btf_function: text().optional().describe('a function that BTF has'),
  btf_type: text().optional().describe('a struct, union, enum or typedef: `mm_struct`, `enum x`'),
  btf_field: text().optional().describe('`struct.field`, `struct.field.field`, `struct.array[0]`'),
  btf_enumerator: text().optional().describe('`enum_name.ENUMERATOR`; anonymous: `ENUMERATOR`'),
  tracepoint: text().optional().describe('a BTF-typed tracepoint, without its group'),
  prototype: z
    .array(text())
    .optional()
    .describe('the types of a tracepoint’s first parameters, or of all of a function’s'),
  tracefs_event: text().optional().describe('`group:event` of tracefs'),
  kallsyms: text().optional().describe('a kernel symbol; of data, also its address'),
  kprobe: text().optional().describe('a function that kprobes can hook, exactly so named'),
  capability: text()
    .refine(isCapability, 'is no capability; they are as in capabilities(7), for instance CAP_BPF')
    .optional(),
  helper: text().optional().describe('a BPF helper: `bpf_loop`'),
  get not() {
    return FactSchema.optional().describe('a fact that must not hold');
  },
});

export const FactSchema: z.ZodType<Fact> = FactKeys.superRefine((fact, context) => {
  exactlyOne(fact, FACTS, 'a fact', context);
  if (fact.prototype && fact.tracepoint === undefined && fact.btf_function === undefined) {
    const message = 'only a tracepoint or a function has a prototype';
    context.addIssue({ code: 'custom', message });
  }
}) as unknown as z.ZodType<Fact>;

const FACTS = [
  'btf_function',
  'btf_type',
  'btf_field',
  'btf_enumerator',
  'tracepoint',
  'tracefs_event',
  'kallsyms',
  'kprobe',
  'capability',
  'helper',
  'not',
];

const ParameterSchema = z
  .strictObject({
    value: z.number().optional(),
    offset_of: text().optional().describe('bytes from the start of `struct` to `struct.field`'),
    size_of: text().optional().describe('bytes of a type, or of a `struct.field`'),
    enumerator: text().optional().describe('`enum_name.ENUMERATOR`'),
    otherwise: z.number().optional().describe('where the kernel has no such enumerator'),
    address_of: text().optional().describe('a kallsyms symbol'),
  })
  .superRefine((parameter, context) => {
    const sources = ['value', 'offset_of', 'size_of', 'enumerator', 'address_of'];
    exactlyOne(parameter, sources, 'a constant', context);
    if (parameter.otherwise !== undefined && parameter.enumerator === undefined) {
      context.addIssue({ code: 'custom', message: 'only an enumerator has an `otherwise`' });
    }
  }) as unknown as z.ZodType<Parameter>;

const name = () => z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'write a-z, 0-9, - and _');

/** What strategies and the choices of parts have in common. */
const programs = {
  name: name(),
  summary: text().describe('one sentence for doctor: how it sees, and at what price'),
  programs: z.array(text()).describe('programs of the BPF object to load'),
  attach: z.array(text()).optional().describe('those that are attached; default all'),
  needs: z.array(FactSchema).optional(),
  constants: z.record(z.string(), ParameterSchema).optional().describe('const volatile → value'),
  hooks: z.record(z.string(), text()).optional().describe('program → function or tracepoint'),
  uprobes: z
    .union([z.enum(UPROBE_KINDS), z.record(z.string(), z.enum(UPROBE_KINDS))])
    .optional()
    .describe('how uprobes are attached, all or by program; they are so on demand'),
};

const StrategySchema = z
  .strictObject({
    ...programs,
    programs: programs.programs.min(1),
    omit_maps: z.array(text()).optional().describe('maps that it does without'),
    manual: z.boolean().optional().describe('chosen only when configured by name'),
  })
  .superRefine(ownPrograms);

const ChoiceSchema = z
  .strictObject({
    ...programs,
    maps: z.array(text()).optional().describe('maps that only it uses: not made without it'),
  })
  .superRefine(ownPrograms);

const PartSchema = z.strictObject({
  name: name(),
  summary: text().describe('one sentence for doctor: what it adds'),
  lacks: z.array(text()).min(1).describe('what is missing without it, as a person would say it'),
  choices: z
    .array(ChoiceSchema)
    .min(1)
    .describe('in order of preference')
    .superRefine(distinct('choice of this part')),
});

/** The file's form; `npm run gen` makes its JSON schema of it. */
export const ProfileSchema = z.strictObject({
  plugin: z.string().optional().describe('as the file is named'),
  strategies: z
    .array(StrategySchema)
    .min(1)
    .describe('in order of preference')
    .superRefine(distinct('strategy')),
  parts: z
    .array(PartSchema)
    .optional()
    .describe('what is seen besides, by whatever strategy, where the kernel lets it')
    .superRefine((parts, context) => distinct('part')(parts ?? [], context)),
});

/** Reads `<folder>/<plugin>.yaml`. CONFIG_INVALID with file:line:column, or CONFIG_NOT_FOUND. */
export function readProfile(folder: string, plugin: string): KernelProfile {
  const file = join(folder, `${plugin}.yaml`);
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new MemWatcherError('CONFIG_NOT_FOUND', `${file} cannot be read`, {
      hint: `${plugin} needs its kernel profile; kernel.profiles in the configuration names the folder`,
      cause: new Error(describeError(error)),
    });
  }
  return parseProfile(plugin, file, content);
}

/** `file` is only named in messages. */
export function parseProfile(plugin: string, file: string, content: string): KernelProfile {
  const source = new ConfigSource(file, content);
  const checked = check(ProfileSchema, source.value, new Map());
  if (checked.ok) {
    const { plugin: named = plugin } = checked.value;
    if (named === plugin) return { ...checked.value, plugin } as KernelProfile;
    throw new ConfigError([source.problem(['plugin'], `is ${named}, but the file is ${plugin}'s`)]);
  }
  const place = ({ path, message, of }: Mistake) => source.problem(path, message, of);
  throw new ConfigError(checked.mistakes.map(place));
}

function exactlyOne(
  value: object,
  keys: readonly string[],
  what: string,
  context: z.RefinementCtx,
): void {
  const given = Object.keys(value).filter((key) => keys.includes(key));
  if (given.length === 1) return;
  const message =
    given.length === 0
      ? `is empty: ${what} has one of ${keys.join(', ')}`
      : `has ${given.join(' and ')}: ${what} has only one of them`;
  context.addIssue({ code: 'custom', message });
}

interface NamesPrograms {
  readonly programs: readonly string[];
  readonly attach?: readonly string[] | undefined;
  readonly hooks?: Readonly<Record<string, string>> | undefined;
  readonly uprobes?: string | Readonly<Record<string, string>> | undefined;
}

function ownPrograms(
  { programs, attach = [], hooks = {}, uprobes = {} }: NamesPrograms,
  context: z.RefinementCtx,
): void {
  const named = [
    ...attach.map((program, n) => ({ program, path: ['attach', n] })),
    ...Object.keys(hooks).map((program) => ({ program, path: ['hooks', program] })),
    ...(typeof uprobes === 'string' ? [] : Object.keys(uprobes)).map((program) => ({
      program,
      path: ['uprobes', program],
    })),
  ];
  for (const { program, path } of named) {
    if (programs.includes(program)) continue;
    const message = `names ${program}, which is not among its programs`;
    context.addIssue({ code: 'custom', path, message });
  }
}

/** No two of one name. */
function distinct(what: string) {
  return (named: readonly { readonly name: string }[], context: z.RefinementCtx): void => {
    for (const [n, { name }] of named.entries()) {
      if (named.findIndex((other) => other.name === name) === n) continue;
      const message = `is ${name}, as an earlier ${what}`;
      context.addIssue({ code: 'custom', path: [n, 'name'], message });
    }
  };
}
