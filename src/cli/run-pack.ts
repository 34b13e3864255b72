import type { PackOptions, PackResult } from '../index.js'
import { count } from './count.js'
import { interruptSignal } from './interrupt.js'
import { parseRetention } from './parse.js'
import type { PerdureCommand } from './perdure-command.js'
import { formatBytes, Progress } from './progress.js'

/** Packs with progress, and says what came of it. */
export async function runPack(
  command: PerdureCommand,
  { retain, keepOld }: { readonly retain: string | undefined; readonly keepOld: boolean },
  pack: (options: PackOptions) => Promise<PackResult>,
): Promise<PackResult> {
  const progress = new Progress(command.jsonEnabled())
  try {
    const result = await pack({
      ...(retain !== undefined && { retain: parseRetention(retain) }),
      ...(keepOld && { keepOld }),
      signal: interruptSignal(),
      onProgress: ({ phase, objects, objectsTotal, remainingMs }) =>
        progress.update(phase, objects, objectsTotal, remainingMs),
    })
    progress.end()
    const { objectsBefore, objectsAfter, bytesBefore, bytesAfter, historyFrom } = result
    command.log(`Kept ${count(objectsAfter, 'object')}, removed ${objectsBefore - objectsAfter}.`)
    command.log(
      `${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} after. History since transaction ${historyFrom}.`,
    )
    return result
  } finally {
    progress.end()
  }
}
