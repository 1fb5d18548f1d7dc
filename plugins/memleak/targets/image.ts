/** What is known of a file that processes execute, as far as allocators go. Pure data. */
export interface Image {
  readonly bits: 32 | 64;
  readonly isGo: boolean;
  /** A program that asks for no dynamic loader. */
  readonly isStatic: boolean;
  /** It has a table of symbols. */
  readonly hasSymbols: boolean;
  /** Those that are of interest, by symbol. */
  readonly functions: ReadonlyMap<string, ImageFunction>;
}

export interface ImageFunction {
  /** Bytes into the file where it begins. */
  readonly entry: number;
  /** Bytes into the file where an entry probe is cheapest; and whether it is emulated there. */
  readonly offset: number;
  readonly emulated: boolean;
}
