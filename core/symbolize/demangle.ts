/** Names as people wrote them, from names as linkers want them. */
export type Demangle = (name: string) => string;

/** What is not mangled, or too long, or makes no sense is given back as it is. */
export function demangler(cxx: ((name: string) => string | undefined) | undefined): Demangle {
  return (name) => {
    if (name.length > MAX_MANGLED) return name;
    if (name.startsWith('_Z')) return cxx?.(name) ?? name;
    return name;
  };
}

const MAX_MANGLED = 8192;
