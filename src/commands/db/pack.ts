import { Flags } from '@oclif/core'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { runPack } from '../../cli/run-pack.js'
import { databaseArg, openTarget, targetFlags } from '../../cli/target.js'

export default class DbPack extends PerdureCommand {
  static override summary = 'Remove what cannot be reached from the root, and the history that is not to be kept.'
  static override description =
    'Others may work with the database meanwhile. Ctrl-C gives it up; nothing has changed then.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> bank.perdure',
    '<%= config.bin %> <%= command.id %> perdure://127.0.0.1:2972 --retain 7d',
  ]
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = {
    ...targetFlags,
    retain: Flags.string({
      summary: 'History to keep: 7d of it, 100t for 100 transactions, or all from a tid or time on.',
    }),
    'keep-old': Flags.boolean({ summary: 'Keep the file as it was, with .prepack behind its name.' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbPack)
    await using db = await openTarget(flags, args.database)
    // Awaited here, because the database is closed when this function returns.
    return await runPack(this, { retain: flags.retain, keepOld: flags['keep-old'] }, (options) => db.pack(options))
  }
}
