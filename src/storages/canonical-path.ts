import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { nodeFileSystem } from '../journal/journal-file.js'

/** The real path, so that the sidecar files are the same whatever link the database is opened by. */
export function canonicalPath(path: string): string {
  try {
    return nodeFileSystem.exists(path) ? realpathSync(path) : join(realpathSync(dirname(resolve(path))), basename(path))
  } catch {
    return resolve(path) // What is wrong with it shows when it is opened.
  }
}
