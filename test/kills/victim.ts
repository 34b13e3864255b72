import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { VictimMessage, VictimOptions } from './victim-messages.js'

const PROGRAM = fileURLToPath(new URL('./victim-process.js', import.meta.url))

/** A process that commits until it is killed, seen from outside. */
export class Victim {
  readonly #process: ChildProcess
  readonly #lines: Interface
  readonly #closed: Promise<unknown>
  readonly #messages: VictimMessage[] = []
  #onMessage: (() => void) | undefined
  #ended = false

  private constructor(options: VictimOptions) {
    const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#process = child
    // A process that was killed does not take the word to go on, and that is no surprise.
    child.stdin.on('error', () => {})
    this.#lines = createInterface(child.stdout)
    this.#lines.on('line', (line) => this.#receive(line))
    this.#closed = new Promise((resolve) => child.once('close', resolve)).then(() => {
      this.#ended = true
      this.#onMessage?.()
    })
  }

  /** Starts a process, which loads its modules and waits. */
  static start(options: VictimOptions): Victim {
    return new Victim(options)
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** What it has told until now. */
  get messages(): readonly VictimMessage[] {
    return this.#messages
  }

  /** Lets it open the file. */
  go(): void {
    this.#process.stdin?.write('go\n')
  }

  /**
   * Waits until it has told as many things as this.
   *
   * @throws Error if it ends before that
   */
  async told(count: number): Promise<void> {
    while (this.#messages.length < count) {
      if (this.#ended) throw new Error(`The process has ended after ${this.#messages.length} messages.`)
      await new Promise<void>((resolve) => (this.#onMessage = resolve))
    }
  }

  freeze(): void {
    this.#process.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process.kill('SIGCONT')
  }

  /** Kills it, and waits until it is gone and all it has told has arrived. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#closed
    if (this.#process.signalCode === 'SIGKILL') return
    throw new Error(`The process has ended by itself, with ${this.#process.exitCode}.`)
  }

  #receive(line: string): void {
    const message = parse(line)
    if (message === undefined) return
    this.#messages.push(message)
    this.#onMessage?.()
  }
}

/** The last line may be cut off by the kill. */
function parse(line: string): VictimMessage | undefined {
  return line.endsWith('}') ? (JSON.parse(line) as VictimMessage) : undefined
}
