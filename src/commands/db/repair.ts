import { Flags } from '@oclif/core'
import { interruptSignal } from '../../cli/interrupt.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { formatBytes, Progress } from '../../cli/progress.js'
import { stringFlag } from '../../cli/setting-flags.js'
import { chooseFile, databaseArg } from '../../cli/target.js'
import { repairFile } from '../../index.js'

/** How many lost objects are listed. */
const LISTED = 20

export default class DbRepair extends PerdureCommand {
  static override summary = 'Write a new file with all that is good in a damaged one.'
  static override description = 'The damaged file is only read. See docs/durability.md.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure',
    '<%= config.bin %> <%= command.id %> bank.perdure --to good.perdure --keep prefix',
  ]
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = {
    file: stringFlag('file', 'f'),
    to: Flags.string({ summary: 'The new file. Default: the path with .repaired behind it.' }),
    keep: Flags.option({
      summary: 'All good records, only whole transactions, or only those before the first damage.',
      options: ['records', 'transactions', 'prefix'] as const,
      default: 'records',
    })(),
    unacknowledged: Flags.boolean({ summary: 'Also salvage remains of commits that were never acknowledged.' }),
    serializer: Flags.string({ summary: 'Serializer of the states; needed if the file header is damaged.' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbRepair)
    const progress = new Progress(this.jsonEnabled())
    const { to, keep, unacknowledged, serializer } = flags
    const report = await repairFile(chooseFile(flags, args.database), {
      to,
      keep,
      unacknowledged,
      serializer,
      signal: interruptSignal(),
      onProgress: ({ phase, bytes, bytesTotal }) => progress.update(phase, bytes, bytesTotal),
    })
    progress.end()
    const { transactions, lost, lostCount, danglingCount } = report
    this.log(report.damaged ? `${report.path} is damaged in ${report.damageCount} places.` : `${report.path} is sound.`)
    this.log(`${report.to}: ${report.objects} objects, ${formatBytes(report.bytes)}, up to transaction ${report.tid}.`)
    this.log(`Transactions: ${transactions.whole} whole, ${transactions.partial} in part, ${transactions.lost} lost.`)
    if (lostCount > 0) this.log(`Objects lost, or older than they were: ${lostCount}`)
    for (const { oid, className } of lost.slice(0, LISTED)) this.log(`  ${className || 'object'} ${oid}`)
    if (danglingCount > 0) this.log(`References that lead nowhere: ${danglingCount}`)
    return report
  }
}
