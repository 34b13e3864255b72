/** An exclusive claim on a database. */
export interface FileLock {
  release(): Promise<void> | void
}

/** A stand-in until the real lock is there. */
export async function acquireFileLock(_databasePath: string): Promise<FileLock> {
  return { release() {} }
}
