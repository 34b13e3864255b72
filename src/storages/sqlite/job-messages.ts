import type { Tid } from '../../core/oid.js'
import type { Retention } from '../../core/storage.js'
import type { RemovalRequest } from './messages.js'

/** Given to the thread of a job. */
export interface JobData {
  readonly job: 'survey' | 'check' | 'back-up'
  readonly path: string
  readonly cacheBytes: number
}

/** Finds out what a pack is to remove. */
export interface SurveyJob {
  readonly data: JobData & { readonly job: 'survey'; readonly retain: Retention | undefined }
  readonly progress: SurveyProgress
  readonly result: RemovalRequest
}

export interface SurveyProgress {
  readonly phase: 'scan' | 'mark'
  readonly objects: number
  readonly objectsTotal: number
  readonly bytes: number
  readonly bytesTotal: number
}

/** Lets SQLite look whether the file is in order. */
export interface CheckJob {
  readonly data: JobData & { readonly job: 'check' }
  readonly progress: never
  /** What is wrong, in the words of SQLite. */
  readonly result: readonly string[]
}

/** Writes a copy of the database. */
export interface BackupJob {
  readonly data: JobData & { readonly job: 'back-up'; readonly target: string }
  readonly progress: never
  /** What is in the copy. */
  readonly result: { readonly tid: Tid; readonly bytes: number }
}
