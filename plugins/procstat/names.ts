/** A process's two names. They repeat from pass to pass: only other bytes are made into other text. */
export class Names {
  comm = '';
  executable = '';
  /** The bytes of both. */
  #words = new Uint32Array(0);

  /** From `comm` to `executable` lies the one, from there to `end` the other. */
  read(view: DataView, text: Buffer, comm: number, executable: number, end: number): void {
    if (this.#words.length > 0 && sameWords(this.#words, view, comm)) return;
    this.#words = new Uint32Array((end - comm) >> 2);
    for (let i = 0; i < this.#words.length; i++) {
      this.#words[i] = view.getUint32(comm + 4 * i, true);
    }
    this.comm = chars(text, comm, executable);
    this.executable = chars(text, executable, end) || this.comm;
  }
}

/** A loop here is quicker than a call into Buffer.compare. */
function sameWords(words: Uint32Array, view: DataView, at: number): boolean {
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== view.getUint32(at + 4 * i, true)) return false;
  }
  return true;
}

/** `char[n]`: ends at the first NUL. Bytes that are no UTF-8 become U+FFFD. */
function chars(text: Buffer, from: number, to: number): string {
  const end = text.indexOf(0, from);
  return text.toString('utf8', from, end < 0 || end > to ? to : end);
}
