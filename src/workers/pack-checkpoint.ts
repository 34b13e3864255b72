import { type CheckpointSource, CheckpointWriter, checkpointPath } from '../journal/checkpoint.js'
import { discard } from '../journal/discard.js'
import type { FileSystem } from '../journal/journal-file.js'
import { NO_PAGES, OidIndex, PAGE_ENTRIES } from '../journal/oid-index.js'
import type { PackedBase } from '../journal/packed-base.js'

/**
 * Writes the checkpoint of a packed journal that has not its place yet, so that nobody who opens it then has to replay
 * all of it. It lies beside the new file until the switch. What has been copied must have been synced.
 *
 * @returns the offset up to which it covers the new journal; undefined if it could not be written: it can be done without
 */
export function writePackCheckpoint(
  fileSystem: FileSystem,
  { path, header: { uuid }, index: memory, state }: PackedBase,
): number | undefined {
  const index = new OidIndex(memory, NO_PAGES)
  index.grow(state.nextOid)
  const { end: covered, tid, time, nextOid, objects, checksum } = state
  const begun = { uuid, covered, tid, time, nextOid, objects, pages: Math.ceil(nextOid / PAGE_ENTRIES), checksum }
  const source: CheckpointSource = {
    copyPage: (page, target) => index.copyPage(page, target),
    syncedEnd: () => covered,
  }
  let writer: CheckpointWriter | undefined
  try {
    writer = new CheckpointWriter(fileSystem, path, begun, source)
    while (!writer.step());
    return covered
  } catch {
    writer?.abandon()
    return undefined
  }
}

/**
 * Puts the checkpoint of a packed journal beside it, which has just got its place. The one that is there belongs to the
 * old journal, so that it does no harm if this fails.
 *
 * @returns whether it is there
 */
export function placePackCheckpoint(fileSystem: FileSystem, packed: string, path: string): boolean {
  try {
    fileSystem.rename(checkpointPath(packed), checkpointPath(path))
    return true
  } catch {
    discard(fileSystem, checkpointPath(packed))
    return false
  }
}

/** Removes what there is of a packed journal that is given up. */
export function discardPack(fileSystem: FileSystem, packed: string): void {
  discard(fileSystem, packed)
  discard(fileSystem, checkpointPath(packed))
}
