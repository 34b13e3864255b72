import type { WorkerPool } from './pool.js'

/** What runs the tasks: a pool of threads, or in tests the thread itself. */
export type TaskRunner = Pick<WorkerPool, 'size' | 'run'>

/** What a pass goes over, and how much of it is one task. */
export interface Ranges {
  readonly begin: number
  readonly end: number
  readonly size: number
}

/**
 * Works on several ranges at a time, one for each thread. After a failure no more are begun; it rejects when those
 * under way have ended.
 */
export async function eachRange(
  pool: TaskRunner,
  { begin, end, size }: Ranges,
  signal: AbortSignal | undefined,
  work: (from: number, to: number) => Promise<void>,
): Promise<void> {
  let next = begin
  let failed = false
  const lane = async () => {
    try {
      while (next < end && !failed) {
        signal?.throwIfAborted()
        const from = next
        next += size
        await work(from, Math.min(end, from + size))
      }
      signal?.throwIfAborted()
    } catch (error) {
      failed = true
      throw error
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: pool.size }, lane))
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason
}
