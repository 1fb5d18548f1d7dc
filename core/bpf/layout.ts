/**
 * A struct's layout as its BTF tells it: plain data, the same on every machine.
 * Declared once, in C; decoders derive from it at load and types by `npm run gen`.
 */
export interface StructLayout {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly fields: readonly FieldLayout[];
}

export interface FieldLayout {
  readonly name: string;
  /** Bytes from the struct's start. */
  readonly offset: number;
  readonly size: number;
  readonly type: FieldType;
}

export type FieldType =
  | { readonly kind: 'int'; readonly size: 1 | 2 | 4 | 8; readonly signed: boolean }
  /** `char[n]`: text that ends at the first NUL. */
  | { readonly kind: 'chars'; readonly length: number }
  | { readonly kind: 'array'; readonly length: number; readonly element: FieldType }
  | { readonly kind: 'struct'; readonly layout: StructLayout };
