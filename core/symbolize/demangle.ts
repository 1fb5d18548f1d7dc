/** Names as people wrote them, from names as linkers want them. */
import { demangleRustLegacy } from './rust-legacy.js';
import { demangleRustV0 } from './rust-v0.js';

export type Demangle = (name: string) => string;

/** What is not mangled, or too long, or makes no sense is given back as it is. */
export function demangler(cxx: ((name: string) => string | undefined) | undefined): Demangle {
  return (name) => {
    if (name.length > MAX_MANGLED) return name;
    if (name.startsWith('_R')) return demangleRustV0(name) ?? name;
    if (name.startsWith('_Z')) return demangleRustLegacy(name) ?? cxx?.(name) ?? name;
    return name;
  };
}

const MAX_MANGLED = 8192;
