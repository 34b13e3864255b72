import { Flags } from '@oclif/core'
import { diagnose } from '../../cli/diagnose.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderTable } from '../../cli/table.js'
import { databaseArg, openTarget, targetFlags } from '../../cli/target.js'

export default class DbLargest extends PerdureCommand {
  static override summary = 'List the objects with the largest records.'
  static override examples = ['<%= config.bin %> <%= command.id %> bank.perdure --count 5']
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = {
    ...targetFlags,
    count: Flags.integer({ char: 'n', summary: 'How many to list.', default: 20, min: 1 }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbLargest)
    await using db = await openTarget(flags, args.database, { readonly: true })
    const objects = await diagnose(db, this.jsonEnabled(), (options) => db.largest(flags.count, options))
    this.log(
      renderTable(
        ['oid', 'class', 'bytes'],
        objects.map(({ oid, className, bytes }) => [oid, className, bytes]),
      ),
    )
    return { objects }
  }
}
