import { discard, withoutFreeing } from '../journal/discard.js'
import type { FileSystem, OpenFile } from '../journal/journal-file.js'
import { prepackPath, prepackTemporaryPath, type SwitchRequest, type TailProgress } from '../journal/packed-base.js'
import type { JournalState } from '../journal/recovery.js'
import { TailCopier, type TailSource } from '../journal/tail-copier.js'
import { discardPack, placePackCheckpoint } from './pack-checkpoint.js'

/** A packed journal to which nothing is to be added, on the disk under its own name. */
export interface CompletePack {
  /** Up to and including the last transaction that was copied. */
  readonly copied: JournalState
  /** With the pack's own transaction. */
  readonly state: JournalState
  /** Up to this offset a checkpoint has been put beside it; 0 if there is none. */
  readonly checkpointCovered: number
}

/** The journal that is to be replaced. */
export interface OldJournal {
  readonly path: string
  readonly source: TailSource
  /** Where it ends. */
  readonly end: number
  /** Sees to it that all of it is on the disk. */
  readonly sync: () => void
}

/**
 * Copies what is left of the old journal into the new one, and puts that in its place. At every moment one of them is
 * there, whole. Returns how far it has come if too much is left to be done while commits wait.
 *
 * @throws PerdureError; the old one is still in its place then, and the new one is gone
 */
export function takePlace(
  fileSystem: FileSystem,
  old: OldJournal,
  request: SwitchRequest,
): CompletePack | TailProgress {
  const { base, keepOld } = request
  try {
    const pack = complete(fileSystem, old, request)
    if (!('copied' in pack)) return pack
    if (keepOld) {
      old.sync()
      keep(fileSystem, old.path)
    }
    fileSystem.rename(base.path, old.path)
    return { ...pack, checkpointCovered: placeCheckpoint(fileSystem, old, request) }
  } catch (error) {
    discardPack(fileSystem, base.path)
    throw error
  }
}

function placeCheckpoint(fileSystem: FileSystem, { path }: OldJournal, { base, checkpointCovered }: SwitchRequest) {
  if (checkpointCovered === undefined) return 0
  return placePackCheckpoint(fileSystem, base.path, path) ? checkpointCovered : 0
}

function complete(
  fileSystem: FileSystem,
  { source, end }: OldJournal,
  { base, maxTailBytes }: SwitchRequest,
): Omit<CompletePack, 'checkpointCovered'> | TailProgress {
  if (end - base.sourceEnd > maxTailBytes) return { state: base.state, sourceEnd: base.sourceEnd }
  const file = fileSystem.open(base.path, 'write')
  try {
    const copier = new TailCopier(source, file, base)
    if (!copier.copy(end, { carriedBytes: maxTailBytes })) return copier.progress
    return { copied: copier.progress.state, state: finish(copier, file) }
  } finally {
    file.close()
  }
}

function finish(copier: TailCopier, file: OpenFile): JournalState {
  copier.finish()
  const { state } = copier.progress
  // What lies behind it are the remains of a copy that was given up.
  if (file.size() > state.end) file.truncate(state.end)
  file.sync()
  return state
}

function keep(fileSystem: FileSystem, path: string): void {
  const temporary = prepackTemporaryPath(path)
  fileSystem.unlink(temporary)
  try {
    fileSystem.link(path, temporary)
    const kept = prepackPath(path)
    withoutFreeing(fileSystem, kept, () => fileSystem.rename(temporary, kept))
  } finally {
    // It is still there if that failed, or if it was only another name of the file that was kept already.
    discard(fileSystem, temporary)
  }
}
