import { type ChildProcess, spawn } from 'node:child_process'

/** How long to wait for something to appear, in ms: only a hanging program takes so long. */
const PATIENCE_MS = 20_000

/**
 * A program on a terminal of its own, made by `script` of util-linux, so that it behaves as in front of a person.
 */
export class PseudoTerminal {
  readonly #child: ChildProcess
  readonly #ended: Promise<number>
  #output = ''
  #seen = 0
  #onOutput: (() => void) | undefined

  /** @param command for the shell: one program and its arguments, which takes the shell's place and so gets its signals */
  constructor(command: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.#child = spawn('script', ['--quiet', '--return', '--command', `exec ${command}`, '/dev/null'], options)
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
      this.#onOutput?.()
    })
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code) => {
        resolve(code ?? -1)
        this.#onOutput?.()
      })
    })
  }

  /** Types. */
  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Waits until the screen shows what has not been seen before, and returns everything new up to its end. */
  async see(what: string | RegExp): Promise<string> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const fresh = plain(this.#output).slice(this.#seen)
      const found = typeof what === 'string' ? fresh.indexOf(what) : fresh.search(what)
      if (found >= 0) {
        const end = found + lengthOf(what, fresh)
        this.#seen += end
        return fresh.slice(0, end)
      }
      if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}; the screen shows:\n${fresh}`)
      await this.#moreOutput(deadline - Date.now())
    }
  }

  #moreOutput(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(atMostMs, 1000))
      this.#onOutput = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Waits until the program has ended, and returns its exit code. */
  ended(): Promise<number> {
    return this.#ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

function lengthOf(what: string | RegExp, text: string): number {
  if (typeof what === 'string') return what.length
  const [matched = ''] = what.exec(text) ?? []
  return matched.length
}

/** Without what moves the cursor and sets colours. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are controlled by them.
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '')
}
