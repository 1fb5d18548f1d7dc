/** What is known of a file that processes execute, as far as allocators go. Pure data. */
export interface Image {
  readonly bits: 32 | 64;
  /** It has a runtime that walks stacks where memory is allocated (AddressSanitizer and its like). */
  readonly isSanitizer: boolean;
  readonly isGo: boolean;
  /** A program that asks for no dynamic loader. */
  readonly isStatic: boolean;
  /** It has a table of symbols. */
  readonly hasSymbols: boolean;
  /**
   * What a runtime runs its programs by, an interpreter's handlers and the like (V8's Builtins_*). Which of
   * them are on a stack changes as code is compiled.
   */
  readonly interpreter: readonly FileRange[];
  /** Those that are of interest, by symbol. */
  readonly functions: ReadonlyMap<string, ImageFunction>;
}

/** Bytes into the file: [start, end). */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

export interface ImageFunction {
  /** Bytes into the file where it begins. */
  readonly entry: number;
  /** Bytes into the file where an entry probe is cheapest; and whether it is emulated there. */
  readonly offset: number;
  readonly emulated: boolean;
  /** Bytes; 0 where the file does not say. */
  readonly size: number;
}
