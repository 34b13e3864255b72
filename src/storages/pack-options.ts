import { PerdureError } from '../core/errors.js'
import type { PackOptions } from '../core/storage.js'
import { checkRetention } from '../journal/retention.js'

/** Options of `FileStorage.pack` and {@link packFile}. */
export interface FilePackOptions extends PackOptions {
  /**
   * Memory for the tables of the pack, in bytes. Where it is not enough for all references, those that have no room
   * are read from the file once more, which takes longer. Default 1 GiB, which is only taken as far as it is needed.
   */
  readonly memoryBytes?: number
  /**
   * How many threads work on it. Default: one less than there are processors, so that commits need not wait for one;
   * for {@link packFile} as many as there are.
   */
  readonly threads?: number
}

const OPTIONS = ['retain', 'keepOld', 'onProgress', 'signal', 'memoryBytes', 'threads']

/** @throws PerdureError `PERDURE_ARGUMENT` if an option is misspelled or impossible */
export function checkPackOptions(of: string, options: FilePackOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) {
    throw new PerdureError('PERDURE_ARGUMENT', `${of} has no option "${unknown}". It takes ${OPTIONS.join(', ')}.`)
  }
  checkRetention(options.retain)
  const { memoryBytes = 0, threads = 1 } = options
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < 0) {
    throw new PerdureError('PERDURE_ARGUMENT', 'The option "memoryBytes" must be a number of bytes.')
  }
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new PerdureError('PERDURE_ARGUMENT', 'The option "threads" must be a whole number from 1.')
  }
}
