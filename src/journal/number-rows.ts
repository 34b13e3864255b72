/** Rows of a few numbers each, in one growing typed array: millions of them take little memory. */
export class NumberRows<Column extends string> {
  readonly #columns: readonly Column[]
  #values: Float64Array
  #rows = 0

  constructor(...columns: Column[]) {
    this.#columns = columns
    this.#values = new Float64Array(columns.length * 64)
  }

  get length(): number {
    return this.#rows
  }

  push(row: Readonly<Record<Column, number>>): void {
    const width = this.#columns.length
    const start = this.#rows * width
    if (start === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    for (let i = 0; i < width; i++) this.#values[start + i] = row[this.#columns[i] as Column]
    this.#rows++
  }

  at(row: number): Record<Column, number> {
    const start = row * this.#columns.length
    return Object.fromEntries(this.#columns.map((column, i) => [column, this.#values[start + i] as number])) as Record<
      Column,
      number
    >
  }

  /** Numbers of all rows, in the order of one column and, where that is equal, of another. */
  sorted(first: Column, second: Column): Uint32Array {
    const width = this.#columns.length
    const [a, b] = [this.#columns.indexOf(first), this.#columns.indexOf(second)]
    const values = this.#values
    const value = (row: number, column: number) => values[row * width + column] as number
    return Uint32Array.from({ length: this.#rows }, (_, row) => row).sort(
      (x, y) => value(x, a) - value(y, a) || value(x, b) - value(y, b),
    )
  }
}
