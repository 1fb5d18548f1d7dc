import type * as z from 'zod';
import { withoutCredentials } from './credentials.js';
import { suggestion } from './nearest.js';
import type { Path } from './source.js';
import { pathKey, type Substitution } from './substitute.js';

export interface Mistake {
  readonly path: Path;
  readonly of: 'key' | 'value';
  readonly message: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] };

/** Checks values against the schema, and says each mistake in words that name the key. */
export function check<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  references: Substitution['references'],
): Checked<T> {
  let value = raw;
  for (;;) {
    const result = schema.safeParse(value);
    if (result.success) return { ok: true, value: result.data };
    const mended = mend(value, result.error.issues, references);
    if (mended === undefined) {
      return {
        ok: false,
        mistakes: result.error.issues.flatMap((issue) => explain(issue, value, schema, references)),
      };
    }
    value = mended;
  }
}

/**
 * Two things that YAML cannot know: what an environment variable holds is text until the key says
 * that it is a number or a switch; and a section whose lines are all commented out is an empty one.
 * undefined if no issue is of that kind.
 */
function mend(
  root: unknown,
  issues: readonly z.core.$ZodIssue[],
  references: Substitution['references'],
) {
  let mended: unknown;
  for (const issue of issues) {
    if (issue.code !== 'invalid_type') continue;
    const path = issue.path as Path;
    const value = valueAt(root, path);
    const section = issue.expected === 'object' || issue.expected === 'record';
    if (section && value === null) mended = withValue(mended ?? root, path, {});
    if (typeof value === 'string' && references.has(pathKey(path))) {
      const typed = retype(value, issue.expected);
      if (typed !== undefined) mended = withValue(mended ?? root, path, typed);
    }
  }
  return mended;
}

function retype(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return { true: true, false: false }[text.trim().toLowerCase()];
  if (expected !== 'number' && expected !== 'int') return undefined;
  return /^[-+]?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
}

function explain(
  issue: z.core.$ZodIssue,
  root: unknown,
  schema: z.ZodType,
  references: Substitution['references'],
): Mistake[] {
  const path = issue.path as Path;
  const value = valueAt(root, path);
  const name = path.length === 0 ? 'the configuration' : `\`${path.join('.')}\``;
  // A value of `headers` itself is all of them in one text, as OTEL_EXPORTER_OTLP_HEADERS has it.
  const headers = path.at(-2) === 'headers' || path.at(-1) === 'headers';
  const secret = references.has(pathKey(path)) || headers;
  const got = value === undefined ? '' : `, got ${secret ? 'something else' : shown(value)}`;
  const mistake = (message: string, of: 'key' | 'value' = 'value'): Mistake[] => [
    { path, of, message },
  ];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        of: 'key',
        message: `unknown ${kindOfKey(path)} \`${[...path, key].join('.')}\`${suggestion(key, keysAt(schema, path))}`,
      }));
    case 'invalid_type':
      if (value === undefined)
        return mistake(
          `${name} is missing; it must be ${NOUN[issue.expected] ?? issue.expected}`,
          'key',
        );
      return mistake(`${name} must be ${NOUN[issue.expected] ?? issue.expected}${got}`);
    case 'invalid_value': {
      const values = issue.values.map(String);
      const near =
        typeof value === 'string' && !secret
          ? suggestion(value, values)
          : `; valid: ${values.join(', ')}`;
      return mistake(`${name} cannot be ${secret ? 'that' : shown(value)}${near}`);
    }
    case 'too_small':
      return mistake(
        `${name} must be at least ${issue.minimum}${UNIT_OF_SIZE[issue.origin] ?? ''}${got}`,
      );
    case 'too_big':
      return mistake(
        `${name} must be at most ${issue.maximum}${UNIT_OF_SIZE[issue.origin] ?? ''}${got}`,
      );
    case 'invalid_format':
      if (issue.format === 'url')
        return mistake(`${name} must be a URL such as http://localhost:4318${got}`);
      return mistake(`${name}: ${lowered(issue.message)}${got}`);
    case 'custom':
    case 'invalid_union':
      return mistake(`${name} ${lowered(issue.message)}${isSection(value) ? '' : got}`);
    default:
      return mistake(`${name}: ${lowered(issue.message)}`);
  }
}

/** What a key names below `path`. */
function kindOfKey(path: Path): string {
  if (path[0] !== 'plugins') return 'key';
  if (path.length === 1) return 'plugin';
  return path.length === 3 && path[2] === 'metrics' ? 'metric' : 'key';
}

const NOUN: Readonly<Record<string, string>> = {
  object: 'a section with keys',
  record: 'a section with keys',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};
const UNIT_OF_SIZE: Readonly<Record<string, string>> = { string: ' characters', array: ' items' };

const lowered = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

/** A value as the file has it, short. */
function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  const text = JSON.stringify(typeof value === 'string' ? withoutCredentials(value) : value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

const isSection = (value: unknown) => typeof value === 'object' && value !== null;

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<string | number, unknown>)[step]
        : undefined,
    root,
  );
}

function withValue(root: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (Array.isArray(root))
    return root.with(Number(step), withValue(root[Number(step)], rest, value));
  const object = root as Record<string, unknown>;
  return { ...object, [step]: withValue(object[step], rest, value) };
}

/** The keys that the schema knows at `path`. */
function keysAt(schema: unknown, path: Path): readonly string[] {
  const here = unwrapped(schema);
  const [step, ...rest] = path;
  if (step === undefined) return Object.keys(here?.shape ?? {});
  return keysAt(here?.shape?.[step] ?? here?.valueType ?? here?.element, rest);
}

interface SchemaDefinition {
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly valueType?: unknown;
  readonly element?: unknown;
}

/** Through defaults, optionals and pipes to the definition that has keys. */
function unwrapped(schema: unknown): SchemaDefinition | undefined {
  const { def } = (schema ?? {}) as { def?: SchemaDefinition };
  const inner = def?.innerType ?? def?.in;
  return inner === undefined ? def : unwrapped(inner);
}
