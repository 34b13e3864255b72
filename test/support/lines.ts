/** A line of a log in JSON. */
export interface LogEntry {
  readonly [name: string]: unknown
  readonly level: string
  readonly event: string
}

/** Where a log can be written to: keeps its lines. */
export class Lines {
  text = ''
  #wake: () => void = () => {}
  #read = 0

  write(text: string): void {
    this.text += text
    this.#wake()
  }

  get entries(): LogEntry[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }

  /** The next entry, after that of the last call, that is as wanted. Waits for it. */
  async wait(isWanted: (entry: LogEntry) => boolean): Promise<LogEntry> {
    for (;;) {
      const { entries } = this
      const index = entries.findIndex((entry, i) => i >= this.#read && isWanted(entry))
      if (index >= 0) {
        this.#read = index + 1
        return entries[index] as LogEntry
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
