/** What a bench leaves to others, processes and files, is undone also where Ctrl-C ends it. */

const undone = new Set<() => void>();

/** Gives what undoes it now. */
export function atExit(undo: () => void): () => void {
  undone.add(undo);
  return () => {
    if (undone.delete(undo)) undo();
  };
}

process.once('exit', () => {
  for (const undo of undone) undo();
});
for (const [signal, code] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}
