import type { TransferListItem } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { packError } from '../core/errors.js'
import type { TaskResult } from './pool.js'

/** Work as a thread of the pool offers it: whatever it throws is part of the answer. */
export function task<Input, T>(work: (input: Input) => T | Promise<T>): (input: Input) => Promise<TaskResult<T>> {
  return async (input) => {
    try {
      return { value: await work(input) }
    } catch (error) {
      return { error: packError(error) }
    }
  }
}

/** A task whose result is handed over instead of copied. */
export function moving<Input, T>(
  work: (input: Input) => T | Promise<T>,
  transferList: (value: T) => TransferListItem[],
): (input: Input) => Promise<TaskResult<T>> {
  const run = task(work)
  return async (input) => {
    const result = await run(input)
    if ('error' in result) return result
    const movable = { ...result, [transferableSymbol]: transferList(result.value), [valueSymbol]: result }
    return move(movable) as typeof movable
  }
}
