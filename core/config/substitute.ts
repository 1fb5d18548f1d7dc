import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeError } from '../errors.js';
import { nearest } from './nearest.js';
import type { Path } from './source.js';

/** Where `${env:…}` and `${file:…}` are looked up. */
export interface SubstitutionOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths of `${file:…}` begin here: the folder of the configuration. */
  readonly folder: string;
}

export interface Substitution {
  readonly value: unknown;
  /** Values that hold something from outside, by `pathKey`, as they are written: safe to show. */
  readonly references: ReadonlyMap<string, string>;
  readonly mistakes: readonly { readonly path: Path; readonly message: string }[];
}

export const pathKey = (path: Path) => JSON.stringify(path.map(String));

/**
 * Replaces the references in text values. It works on parsed values, so that what an environment
 * variable holds is never read as YAML. `$${` stays `${`.
 */
export function substitute(root: unknown, options: SubstitutionOptions): Substitution {
  const references = new Map<string, string>();
  const mistakes: { path: Path; message: string }[] = [];

  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return replace(value, path);
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]),
    );
  };

  const replace = (text: string, path: Path): string => {
    if (!text.includes('${')) return text;
    return text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, reference?: string, end?: string) => {
      if (reference === undefined) return '${';
      references.set(pathKey(path), text);
      const found =
        end === '}' ? lookUp(reference, options) : { mistake: `\`${whole}\` has no \`}\`` };
      if ('text' in found) return found.text;
      mistakes.push({ path, message: found.mistake });
      return '';
    });
  };

  return { value: walk(root, []), references, mistakes };
}

type Found = { readonly text: string } | { readonly mistake: string };

function lookUp(reference: string, { env, folder }: SubstitutionOptions): Found {
  const [, scheme, rest = ''] = /^([A-Za-z]+):(.*)$/s.exec(reference) ?? [];
  if (scheme === 'env') return fromEnv(rest, env);
  if (scheme === 'file') return fromFile(resolve(folder, rest));
  const near =
    scheme === undefined ? `env:${reference}` : `${nearest(scheme, SCHEMES) ?? ''}:${rest}`;
  const help = SCHEMES.includes(near.split(':')[0] ?? '')
    ? `; did you mean \`\${${near}}\`?`
    : '; write `env:NAME` or `file:PATH` in the braces, and `$$` before a brace that is meant as it stands';
  return { mistake: `unknown reference \`\${${reference}}\`${help}` };
}

const SCHEMES = ['env', 'file'];

function fromEnv(text: string, env: SubstitutionOptions['env']): Found {
  const [, name = '', otherwise] = /^([^:]*)(?::-(.*))?$/s.exec(text) ?? [];
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return { mistake: `\`${text}\` is not the name of an environment variable` };
  }
  const value = env[name] || otherwise;
  if (value !== undefined) return { text: value };
  const state = env[name] === undefined ? 'is not set' : 'is empty';
  return {
    mistake: `the environment variable ${name} ${state}; set it, or write \`\${env:${name}:-default}\``,
  };
}

function fromFile(path: string): Found {
  try {
    return { text: readFileSync(path, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    return { mistake: `cannot read the file of \`\${file:…}\`: ${describeError(error)}` };
  }
}
