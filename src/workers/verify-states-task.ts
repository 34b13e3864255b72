import type { Oid } from '../core/oid.js'
import { PICKLE } from '../core/pickle.js'
import { decodeRecord } from '../core/record.js'
import type { VerifyProblem } from '../core/storage.js'
import { serializerModules } from '../serializers/registry.js'
import type { TaskRunner } from './each-range.js'
import { importSerializer } from './import-serializer.js'
import { decodeState, type VerifyTask } from './verify-task.js'

/** Records whose states are to be decoded. The records themselves must make sense. */
export interface StatesTask extends Pick<VerifyTask, 'serializer' | 'modules'> {
  readonly records: readonly { readonly oid: Oid; readonly data: Uint8Array }[]
}

/** The task of the pool: finds the states that cannot be decoded. */
export async function checkStates(task: StatesTask): Promise<VerifyProblem[]> {
  const problems: VerifyProblem[] = []
  const findings = { add: (problem: VerifyProblem) => void problems.push(problem) }
  const serializer = await importSerializer(task)
  for (const record of task.records) decodeState(serializer, record, decodeRecord(record.data), findings)
  return problems
}

/**
 * Finds the states that cannot be decoded, with the threads of a pool, for storages whose records these threads cannot
 * read by themselves. Pickles are left alone.
 *
 * @throws PerdureError `PERDURE_THREAD`, `PERDURE_SERIALIZER`
 */
export async function verifyStates(
  pool: TaskRunner,
  serializer: string,
  records: StatesTask['records'],
): Promise<VerifyProblem[]> {
  if (serializer === PICKLE) return []
  return pool.run<StatesTask, VerifyProblem[]>('checkStates', { serializer, modules: serializerModules(), records })
}
