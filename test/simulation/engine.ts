import { JournalFollower } from '../../src/journal/follower.js'
import { createJournal } from '../../src/journal/journal.js'
import { fileError } from '../../src/journal/journal-file.js'
import { JournalView } from '../../src/journal/shared-journal.js'
import { FileSnapshot } from '../../src/storages/file-snapshot.js'
import { CoordinatorLoop } from '../../src/workers/coordinator-loop.js'
import { packJournal } from '../../src/workers/pack.js'
import { packTasks } from '../../src/workers/pack-tasks.js'

/** The code under test: that of the package, or a copy of it in which a bug has been planted. */
export interface Engine {
  readonly createJournal: typeof createJournal
  readonly fileError: typeof fileError
  readonly CoordinatorLoop: typeof CoordinatorLoop
  readonly FileSnapshot: typeof FileSnapshot
  readonly JournalFollower: typeof JournalFollower
  readonly JournalView: typeof JournalView
  readonly packJournal: typeof packJournal
  readonly packTasks: typeof packTasks
}

export const realEngine: Engine = {
  createJournal,
  fileError,
  CoordinatorLoop,
  FileSnapshot,
  JournalFollower,
  JournalView,
  packJournal,
  packTasks,
}
