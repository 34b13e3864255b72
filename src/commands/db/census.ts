import { Flags } from '@oclif/core'
import { count } from '../../cli/count.js'
import { diagnose } from '../../cli/diagnose.js'
import { parsePoint } from '../../cli/parse.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { formatBytes } from '../../cli/progress.js'
import { renderTable } from '../../cli/table.js'
import { databaseArg, openTarget, targetFlags } from '../../cli/target.js'

export default class DbCensus extends PerdureCommand {
  static override summary = 'Count the objects of each class, and what they take.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure',
    '<%= config.bin %> <%= command.id %> bank.perdure --at 2026-11-01 --json',
  ]
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = {
    ...targetFlags,
    at: Flags.string({ summary: 'As of a transaction or a time.' }),
    unreachable: Flags.boolean({ summary: 'Also count what a pack would remove.' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbCensus)
    await using db = await openTarget(flags, args.database, { readonly: true })
    const at = flags.at === undefined ? {} : { at: parsePoint(flags.at) }
    const quiet = this.jsonEnabled()
    const classes = await diagnose(db, quiet, (options) => db.census({ ...options, ...at }))
    const rows = classes.map(({ className, objects, bytes }) => [className, objects, bytes])
    this.log(renderTable(['class', 'objects', 'bytes'], rows))
    if (!flags.unreachable) return { classes }
    const unreachable = await diagnose(db, quiet, (options) => db.unreachable({ ...options, ...at }).totals())
    this.log(`A pack would remove ${count(unreachable.objects, 'object')}, ${formatBytes(unreachable.bytes)}.`)
    return { classes, unreachable }
  }
}
