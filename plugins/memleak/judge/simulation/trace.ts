/** What one call stack of a program allocates: when, how much, and when it is freed. */
export class Trace {
  readonly births: number[] = [];
  readonly deaths: number[] = [];
  readonly sizes: number[] = [];

  /** @param death Infinity: never freed */
  add(birth: number, death: number, size: number): void {
    this.births.push(birth);
    this.deaths.push(death);
    this.sizes.push(Math.max(1, Math.round(size)));
  }

  get length(): number {
    return this.births.length;
  }
}
