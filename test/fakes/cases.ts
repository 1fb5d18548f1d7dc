/** What a test loops over, of which there must be some: a loop over nothing asserts nothing. */
export function casesOf<T>(what: string, cases: readonly T[]): readonly T[] {
  if (cases.length === 0) throw new Error(`no case was found: ${what}`);
  return cases;
}
