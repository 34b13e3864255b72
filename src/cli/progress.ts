import type { WriteStream } from 'node:tty'

const BAR_CELLS = 24

/** A bar is drawn again at most this often, in ms. */
const REDRAW_MS = 100

/** Without a terminal a line is written for every so many percent. */
const PLAIN_STEP = 10

/**
 * Shows how far long work has come, on standard error: as a bar on a terminal, as a few plain lines elsewhere, and
 * not at all with `--json`.
 */
export class Progress {
  readonly #stream: WriteStream | undefined
  /** Whether the cursor can be moved back. */
  readonly #movable: boolean
  #title = ''
  #drawnAt = -Infinity
  #lastStep = 0

  constructor(quiet: boolean, stream: WriteStream = process.stderr) {
    this.#stream = quiet ? undefined : stream
    this.#movable = stream.isTTY && process.env['TERM'] !== 'dumb'
  }

  /**
   * @param title what is being done; a new one begins a new line
   * @param remainingMs estimated time left, in ms
   */
  update(title: string, done: number, total: number, remainingMs?: number): void {
    const stream = this.#stream
    if (stream === undefined) return
    const percent = total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0
    if (title !== this.#title) this.#begin(title)
    if (this.#movable) this.#draw(stream, percent, remainingMs)
    else this.#tell(stream, percent)
  }

  #begin(title: string): void {
    this.#title = title
    this.#drawnAt = -Infinity
    this.#lastStep = 0
  }

  #draw(stream: WriteStream, percent: number, remainingMs: number | undefined): void {
    const now = performance.now()
    if (now - this.#drawnAt < REDRAW_MS && percent < 100) return
    this.#drawnAt = now
    const full = Math.round((BAR_CELLS * percent) / 100)
    const bar = '█'.repeat(full) + '░'.repeat(BAR_CELLS - full)
    const left = remainingMs === undefined ? '' : `  ${formatDuration(remainingMs)} left`
    stream.write(`\r${this.#title} ${bar} ${String(percent).padStart(3)} %${left}\x1b[K`)
  }

  #tell(stream: WriteStream, percent: number): void {
    const step = Math.floor(percent / PLAIN_STEP)
    if (step <= this.#lastStep) return
    this.#lastStep = step
    stream.write(`${this.#title}: ${percent} %\n`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#movable && this.#title !== '') this.#stream?.write('\r\x1b[K')
    this.#title = ''
  }
}

/** A time in ms as people say it: `850 ms`, `4 s`, `3 min 20 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** A number of bytes as people say it: `512 bytes`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}
