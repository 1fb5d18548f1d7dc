/** One line of a stack, for people. An address may be several: what was inlined comes first. */
export interface Frame {
  /** As it was on the stack: of all but the innermost code, the address after the call. */
  readonly address: bigint;
  /** Demangled. Absent where nobody knows: `lack` says why. */
  readonly function?: string;
  /** Where the function begins, in the addresses of its file (ELF virtual addresses). */
  readonly functionAddress?: bigint;
  /** Bytes from there to `address`. */
  readonly offset?: number;
  readonly file?: string;
  readonly line?: number;
  /** Part of the frame that follows. */
  readonly inlined: boolean;
  /** Path as the process knows it, `[vdso]`, `[kernel]`, a module's name. */
  readonly module?: string;
  /** Hex. */
  readonly buildId?: string;
  /** `address` in the addresses of its file: the same wherever the file is mapped. */
  readonly moduleAddress?: bigint;
  /** Why there is no name; beside a name, why there is no more than that. */
  readonly lack?: string;
  /** The reason passes, and is none of the file's: who asks again may get the name. */
  readonly isTemporary?: true;
}
