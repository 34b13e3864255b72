import type { FileSystem, OpenFile } from './journal-file.js'

/** Removes a file that is of no use any more after a failure, if that can be done: the failure is what counts. */
export function discard(fileSystem: FileSystem, path: string): void {
  try {
    withoutFreeing(fileSystem, path, () => fileSystem.unlink(path))
  } catch {
    // The next opening for writing removes it.
  }
}

/**
 * Has a name taken from the file at `path`, which may be its last one, without waiting until the system has freed the
 * file: it is kept open meanwhile, and closed later.
 */
export function withoutFreeing(fileSystem: FileSystem, path: string, takeName: () => void): void {
  const file = openIfPossible(fileSystem, path)
  try {
    takeName()
  } finally {
    file?.closeLater()
  }
}

function openIfPossible(fileSystem: FileSystem, path: string): OpenFile | undefined {
  try {
    return fileSystem.open(path, 'read')
  } catch {
    // It is not there; or whoever takes the name has to wait.
    return undefined
  }
}
