import { Worker } from 'node:worker_threads'
import { type PackedError, PerdureError, unpackError } from '../../core/errors.js'
import type { BackupJob, CheckJob, JobData, SurveyJob } from './job-messages.js'

/** What comes from the thread of a job. */
type JobEvent<Progress, Result> =
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'done'; readonly result: Result }
  | { readonly type: 'failed'; readonly error: PackedError }

export type AnyJob = SurveyJob | CheckJob | BackupJob

export interface JobOptions<Job extends AnyJob> {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: Job['progress']) => void
}

/**
 * Does work that takes long in a thread of its own, with a connection of its own.
 *
 * @throws PerdureError what the work throws; `PERDURE_THREAD` if the thread dies; the reason of `options.signal`; what
 *   `options.onProgress` throws
 */
export function runJob<Job extends AnyJob>(
  data: Job['data'] & JobData,
  { signal, onProgress }: JobOptions<Job>,
): Promise<Job['result']> {
  signal?.throwIfAborted()
  const worker = new Worker(new URL('./job-worker.js', import.meta.url), {
    name: `perdure-sqlite-${data.job}`,
    workerData: data,
  })
  return new Promise<Job['result']>((resolve, reject) => {
    const onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    worker.on('message', (event: JobEvent<Job['progress'], Job['result']>) => {
      if (event.type === 'done') resolve(event.result)
      else if (event.type === 'failed') reject(unpackError(event.error))
      else {
        try {
          onProgress?.(event.progress)
        } catch (error) {
          reject(error)
        }
      }
    })
    worker.on('error', (cause) => reject(died(data, cause)))
    worker.on('exit', () => {
      signal?.removeEventListener('abort', onAbort)
      reject(died(data, undefined))
    })
  }).finally(() => worker.terminate())
}

function died({ job, path }: JobData, cause: unknown): PerdureError {
  return new PerdureError('PERDURE_THREAD', `The thread that was to ${job} ${path} has ended unexpectedly.`, {
    details: { path },
    cause,
  })
}
