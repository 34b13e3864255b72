import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { canonicalPath } from './canonical-path.js'

/** Where a database is, and what is to be done when it is left. */
export class Place {
  readonly path: string
  readonly temporary: boolean
  readonly #removeNow = () => rmSync(dirname(this.path), { recursive: true, force: true })

  private constructor(path: string, temporary: boolean) {
    this.path = path
    this.temporary = temporary
    if (temporary) process.once('exit', this.#removeNow)
  }

  /** @param path undefined for a temporary database, which gets a directory of its own and `name` */
  static async choose(path: string | undefined, name: string): Promise<Place> {
    if (path !== undefined) return new Place(canonicalPath(path), false)
    return new Place(join(await mkdtemp(join(tmpdir(), 'perdure-')), name), true)
  }

  async leave(): Promise<void> {
    if (!this.temporary) return
    process.off('exit', this.#removeNow)
    await rm(dirname(this.path), { recursive: true, force: true })
  }
}
