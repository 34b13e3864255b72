import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../src/core/errors.js'
import type { PackResult } from '../../src/core/storage.js'
import type { FileSystem } from '../../src/journal/journal-file.js'
import type { SwitchOutcome, SwitchRequest } from '../../src/journal/packed-base.js'
import type { PackHost, PackSettings } from '../../src/workers/pack.js'
import type { Engine } from './engine.js'

interface Step {
  run(): void
  giveUp(): void
}

/** What a pack has come to. */
export type PackEnd = { readonly result: PackResult } | { readonly error: unknown }

/** The storage that is packed, without the coordinator's thread. */
export interface SteppedHost extends Pick<PackHost, 'shared' | 'published'> {
  readonly switchTo: (request: SwitchRequest) => SwitchOutcome
}

/**
 * A pack by the engine, in this thread. What threads of the pool or the coordinator would do for it is done one task
 * after another, each when it is asked for, so that anything else can be done in between.
 */
export class SteppedPack {
  /** Undefined as long as it goes on. */
  end: PackEnd | undefined
  readonly #steps: Step[] = []
  readonly #cancel = new AbortController()

  constructor(engine: Engine, fileSystem: FileSystem, host: SteppedHost, settings: PackSettings) {
    const tasks = engine.packTasks(fileSystem) as Record<string, (task: never) => unknown>
    const pool = {
      size: 2,
      run: <Task, T>(name: string, task: Task) => this.#later(() => tasks[name]?.(task as never) as T),
    }
    const { shared, published } = host
    const switchTo = (request: SwitchRequest) => this.#later(() => host.switchTo(request))
    engine.packJournal(fileSystem, pool, { shared, published, switchTo }, settings, this.#cancel.signal).then(
      (result) => {
        this.end = { result }
      },
      (error: unknown) => {
        this.end = { error }
      },
    )
  }

  #later<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      }
      this.#steps.push({ run, giveUp: () => reject(new Error('The program has been killed.')) })
    })
  }

  /** Runs the next task, and whatever follows from it up to the next one. */
  async step(): Promise<void> {
    this.#steps.shift()?.run()
    await this.#settle()
  }

  async #settle(): Promise<void> {
    // Between two tasks a pack waits for nothing but promises.
    await nextTurn()
    if (this.end === undefined && this.#steps.length === 0) throw new Error('The pack waits for nothing.')
  }

  async finish(): Promise<PackEnd> {
    while (this.end === undefined) await this.step()
    return this.end
  }

  /** As a storage does that is closed. */
  async cancel(): Promise<void> {
    this.#cancel.abort(new PerdureError('PERDURE_CLOSED', 'The storage was closed during the pack.'))
    await this.finish()
  }

  /** Lets go of it when the program has been killed, and the disk does nothing for that any more. */
  async kill(): Promise<void> {
    while (this.end === undefined) {
      for (const step of this.#steps.splice(0)) step.giveUp()
      await this.#settle()
    }
  }
}
