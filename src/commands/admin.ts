import { adminNames } from '../cli/client/admin-names.js'
import { clientFlags, clientOptions } from '../cli/client/client-flags.js'
import { runClient } from '../cli/client/run-client.js'
import { PerdureCommand } from '../cli/perdure-command.js'
import { databaseArg } from '../cli/target.js'

export default class Admin extends PerdureCommand {
  static override summary = 'Look after a database in an interactive JavaScript prompt.'
  static override description =
    `It is the prompt of \`<%= config.bin %> db client\`, and has at hand as well census(), referrers(oid), largest(n),
unreachable(), history(range, n), statistics(), and undo(tid) and pack(options), which ask on a terminal before they do
anything.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --file bank.perdure',
    `<%= config.bin %> <%= command.id %> perdure://127.0.0.1:2972 --eval 'await census()'`,
  ]
  static override args = { database: databaseArg }
  static override flags = clientFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Admin)
    const asks = flags.eval === undefined && process.stdin.isTTY
    const result = await runClient({ ...clientOptions(flags, args.database), moreNames: (db) => adminNames(db, asks) })
    if (result.failed) process.exitCode = 1
  }
}
