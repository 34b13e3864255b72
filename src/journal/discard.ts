import type { FileSystem } from './journal-file.js'

/** Removes a file that is of no use any more after a failure, if that can be done: the failure is what counts. */
export function discard(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.unlink(path)
  } catch {
    // The next opening for writing removes it.
  }
}
