/** Says on the screen how far a piece of work is: on a terminal all the time, elsewhere when it is done. */
export class Progress {
  readonly #output: NodeJS.WriteStream
  #label = ''
  #total = 0
  #done = 0
  #startedAtMs = 0

  constructor(output: NodeJS.WriteStream) {
    this.#output = output
  }

  begin(label: string, total: number): void {
    this.#label = label
    this.#total = total
    this.#done = 0
    this.#startedAtMs = performance.now()
  }

  advance(count: number): void {
    this.#done += count
    if (!this.#output.isTTY) return
    const percent = Math.floor((100 * this.#done) / this.#total)
    this.#output.write(`\r  ${this.#label}: ${this.#done.toLocaleString('en')} (${percent}%)`)
  }

  end(): void {
    const seconds = (performance.now() - this.#startedAtMs) / 1000
    const rate = Math.round(this.#done / seconds)
    const start = this.#output.isTTY ? '\r' : ''
    this.#output.write(
      `${start}  ${this.#label}: ${this.#done.toLocaleString('en')} in ${seconds.toFixed(1)} s (${rate.toLocaleString('en')}/s)\n`,
    )
  }
}
