import type { Database, DiagnosticOptions } from '../index.js'
import { interruptSignal } from './interrupt.js'
import { Progress } from './progress.js'

/**
 * Looks through all objects of a database: with progress, where it is known how many there are, and until Ctrl-C.
 *
 * @param quiet whether to show nothing
 */
export async function diagnose<T>(
  db: Pick<Database, 'statistics'>,
  quiet: boolean,
  look: (options: DiagnosticOptions) => Promise<T>,
): Promise<T> {
  const { objects: total } = db.statistics
  const progress = new Progress(quiet || typeof total !== 'number')
  try {
    return await look({
      signal: interruptSignal(),
      onProgress: ({ phase, objects }) => progress.update(phase, objects, total as number),
    })
  } finally {
    progress.end()
  }
}
