import { nodeFileSystem } from '../journal/journal-file.js'
import { packTasks } from './pack-tasks.js'
import { moving, task } from './pool-task.js'
import { locateRecords as locateRecordsNow, readRecords as readRecordsNow } from './scan-task.js'
import { checkTransactions as checkTransactionsNow } from './verify-journal-task.js'
import { checkStates as checkStatesNow } from './verify-states-task.js'
import { checkReferences as checkReferencesNow, surveyObjects as surveyObjectsNow } from './verify-task.js'

/*
 * The entry of the pool's threads: one exported function for each kind of task.
 */

export const surveyObjects = task(surveyObjectsNow)
export const checkReferences = task(checkReferencesNow)
export const checkStates = task(checkStatesNow)
export const checkTransactions = task(checkTransactionsNow)
export const locateRecords = task(locateRecordsNow)
export const readRecords = moving(readRecordsNow, (batch) => [batch.oids.buffer])

const pack = packTasks(nodeFileSystem)

export const packLater = task(pack.packLater)
export const packIndex = task(pack.packIndex)
export const packRecords = task(pack.packRecords)
export const packMark = task(pack.packMark)
export const packCopy = task(pack.packCopy)
export const packTail = task(pack.packTail)
export const packCheckpoint = task(pack.packCheckpoint)
