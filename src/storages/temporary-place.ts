import { rmSync } from 'node:fs'
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileError } from '../journal/journal-file.js'
import { describeSelf, judgeHolder, type LockHolder, parseHolder } from '../journal/lock-holder.js'

const PREFIX = 'perdure-temporary-'

/** The file in each folder that says whose it is, as a lock does. */
const OWNER = 'owner'

/**
 * A folder of its own for a temporary database, among the system's temporary files. It is removed when the database
 * is closed, or when the process, or the thread, ends in an orderly way; and if that was killed, by whoever makes the
 * next one. So files in it need no care of their own.
 */
export class TemporaryPlace {
  /** Where the database goes. There is nothing yet. */
  readonly path: string

  private constructor(path: string) {
    this.path = path
    if (places.size === 0) process.on('exit', leaveAll)
    places.add(this)
  }

  /**
   * @param name of the file, for messages and for the curious
   * @throws PerdureError `PERDURE_NO_SPACE`, `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND` if there is no folder for
   *   temporary files, `PERDURE_IO`
   */
  static async make(name: string): Promise<TemporaryPlace> {
    const self = describeSelf()
    const parent = tmpdir()
    await removeAbandoned(parent, self)
    try {
      const place = new TemporaryPlace(join(await mkdtemp(join(parent, PREFIX)), name))
      try {
        await writeFile(join(dirname(place.path), OWNER), JSON.stringify(self), { flag: 'wx' })
      } catch (error) {
        await place.leave()
        throw error
      }
      return place
    } catch (error) {
      throw fileError(error, parent, 'make a temporary database in')
    }
  }

  /** Removes it with all that is in it. May be called more than once. */
  async leave(): Promise<void> {
    this.#forget()
    await rm(dirname(this.path), { recursive: true, force: true })
  }

  /** As {@link leave}, when nobody can wait any more. */
  leaveNow(): void {
    this.#forget()
    rmSync(dirname(this.path), { recursive: true, force: true })
  }

  #forget(): void {
    places.delete(this)
    if (places.size === 0) process.off('exit', leaveAll)
  }
}

const places = new Set<TemporaryPlace>()

function leaveAll(): void {
  for (const place of places) {
    try {
      place.leaveNow()
    } catch {
      // Nobody is left to tell, and whoever makes the next one removes it.
    }
  }
}

/** Removes what processes of this user have left that were killed. What cannot be judged from here stays. */
async function removeAbandoned(parent: string, self: LockHolder): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter((name) => name.startsWith(PREFIX))) {
    const folder = join(parent, name)
    try {
      // In a folder that somebody else can change, names may mean other files by the time they are removed.
      const status = await lstat(folder)
      if (!status.isDirectory() || status.uid !== (process.getuid?.() ?? status.uid)) continue
      const owner = parseHolder(await readFile(join(folder, OWNER), 'utf8'))
      if (owner !== undefined && judgeHolder(owner, self) === 'dead') await rm(folder, { recursive: true, force: true })
    } catch {
      // It is just being made, or being removed, by somebody else.
    }
  }
}
