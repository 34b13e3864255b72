import { canonicalPath } from './canonical-path.js'
import { TemporaryPlace } from './temporary-place.js'

/** Where a database is, and what is to be done when it is left. */
export class Place {
  readonly path: string
  readonly #temporary: TemporaryPlace | undefined

  private constructor(path: string, temporary: TemporaryPlace | undefined) {
    this.path = path
    this.#temporary = temporary
  }

  /** @param path undefined for a temporary database, which gets a directory of its own and `name` */
  static async choose(path: string | undefined, name: string): Promise<Place> {
    if (path !== undefined) return new Place(canonicalPath(path), undefined)
    const temporary = await TemporaryPlace.make(name)
    return new Place(temporary.path, temporary)
  }

  get temporary(): boolean {
    return this.#temporary !== undefined
  }

  async leave(): Promise<void> {
    await this.#temporary?.leave()
  }
}
