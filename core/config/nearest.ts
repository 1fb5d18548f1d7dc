/** The word that was probably meant. */

/** Edits (insert, delete, replace, swap of neighbours) that make `a` into `b`. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j++) (rows[0] as number[])[j] = j;
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, at(i - 2, j - 2) + 1);
      }
      (rows[i] as number[])[j] = best;
    }
  }
  return at(a.length, b.length);
}

/** The closest of `candidates`, if it is close enough to have been meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const fold = (text: string) => text.toLowerCase().replaceAll('-', '_');
  let best: { candidate: string; score: number } | undefined;
  for (const candidate of candidates) {
    const [a, b] = [fold(word), fold(candidate)];
    // An unfinished word (`exporter`, `prom`) is near although many letters are missing.
    const unfinished = a.length >= 3 && (b.startsWith(a) || a.startsWith(b));
    const score = unfinished ? 0.5 : distance(a, b);
    const enough = score <= Math.max(1, Math.floor(Math.max(a.length, b.length) / 3));
    if (enough && (best === undefined || score < best.score)) best = { candidate, score };
  }
  return best?.candidate;
}

/** `; did you mean \`x\`?`, or what is valid where nothing is near. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  if (near !== undefined) return `; did you mean \`${near}\`?`;
  if (candidates.length === 0) return '; nothing can be set here';
  return `; valid: ${candidates.join(', ')}`;
}
