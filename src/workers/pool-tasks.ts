import { packError } from '../core/errors.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { packTasks } from './pack-tasks.js'
import type { TaskResult } from './pool.js'
import { checkTransactions as checkTransactionsNow } from './verify-journal-task.js'
import { checkReferences as checkReferencesNow, surveyObjects as surveyObjectsNow } from './verify-task.js'

/*
 * The entry of the pool's threads: one exported function for each kind of task.
 */

function task<Input, T>(work: (input: Input) => T | Promise<T>): (input: Input) => Promise<TaskResult<T>> {
  return async (input) => {
    try {
      return { value: await work(input) }
    } catch (error) {
      return { error: packError(error) }
    }
  }
}

export const surveyObjects = task(surveyObjectsNow)
export const checkReferences = task(checkReferencesNow)
export const checkTransactions = task(checkTransactionsNow)

const pack = packTasks(nodeFileSystem)

export const packLater = task(pack.packLater)
export const packIndex = task(pack.packIndex)
export const packRecords = task(pack.packRecords)
export const packMark = task(pack.packMark)
export const packCopy = task(pack.packCopy)
export const packTail = task(pack.packTail)
