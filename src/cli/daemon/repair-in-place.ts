import { renameSync, rmSync } from 'node:fs'
import { open, PerdureError, repairFile } from '../../index.js'

/**
 * If a file is too damaged to be opened, puts a repaired one in its place, and keeps the damaged one beside it.
 *
 * @param serializer of the states, which a damaged file may no longer tell
 * @returns what was done, for people; undefined if nothing was
 * @throws PerdureError as `repairFile()` does
 */
export async function repairInPlace(file: string, serializer?: string): Promise<string | undefined> {
  if (!(await isDamaged(file))) return undefined
  const repaired = `${file}.repaired`
  const kept = `${file}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  const report = await repairFile(file, { to: repaired, serializer })
  renameSync(file, kept)
  renameSync(repaired, file)
  // They belong to the damaged one.
  for (const sidecar of ['.index', '.live']) rmSync(`${file}${sidecar}`, { force: true })
  return `${file} was damaged and has been repaired: ${report.lostCount} objects lost or older. The damaged file is ${kept}.`
}

async function isDamaged(file: string): Promise<boolean> {
  try {
    await using _db = await open(file, { createIfMissing: false })
    return false
  } catch (error) {
    if (error instanceof PerdureError && error.code === 'PERDURE_CORRUPTION') return true
    // Whatever else is wrong, opening it in earnest will say.
    return false
  }
}
