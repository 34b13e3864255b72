import { Args, Flags } from '@oclif/core'
import { parseNumber } from '../../cli/parse.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { openTarget, targetFlags } from '../../cli/target.js'

export default class DbUndo extends PerdureCommand {
  static override summary = 'Take back one transaction, by another one.'
  static override description = 'Possible as long as nothing that it changed has been changed since.'
  static override examples = ['<%= config.bin %> <%= command.id %> 42 --file bank.perdure --note "wrong account"']
  static override enableJsonFlag = true
  static override args = { tid: Args.string({ required: true, description: 'The transaction.', ignoreStdin: true }) }
  static override flags = {
    ...targetFlags,
    note: Flags.string({ summary: 'A remark to be kept with the new transaction.' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbUndo)
    const undone = parseNumber('A transaction', args.tid)
    await using db = await openTarget(flags)
    const tid = await db.undo(undone, { note: flags.note ?? `undo ${undone}` })
    this.log(`Transaction ${tid} has taken back transaction ${undone}.`)
    return { tid, undone }
  }
}
