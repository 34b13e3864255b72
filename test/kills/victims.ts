import { TemporaryDirectory } from '../support/temporary-directory.js'
import { Victim } from './victim.js'
import type { VictimOptions } from './victim-messages.js'

/** The processes of one test, and the folder that their database is in. */
export class Victims {
  readonly #directory = new TemporaryDirectory()
  readonly #alive = new Set<Victim>()

  join(name: string): string {
    return this.#directory.join(name)
  }

  start(options: VictimOptions): Victim {
    const victim = Victim.start(options)
    this.#alive.add(victim)
    return victim
  }

  async kill(victim: Victim): Promise<void> {
    await victim.kill()
    this.#alive.delete(victim)
  }

  /** Kills those that a test which has failed may have left, and removes the folder. */
  async remove(): Promise<void> {
    for (const victim of this.#alive) await victim.kill()
    this.#directory.remove()
  }
}
