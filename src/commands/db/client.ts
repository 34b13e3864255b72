import { clientFlags, clientOptions } from '../../cli/client/client-flags.js'
import { runClient } from '../../cli/client/run-client.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { databaseArg } from '../../cli/target.js'

export default class DbClient extends PerdureCommand {
  static override summary = 'Work with a database in an interactive JavaScript prompt.'
  static override description =
    `At hand are connection, root, get(oid), commit(), abort(), pack(), db, the exports of the
package, and those of the module given with --classes. Objects of classes that are not registered can be read all the
same. Nothing is changed unless you call commit().`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --file bank.perdure',
    '<%= config.bin %> <%= command.id %> perdure://127.0.0.1:2972 --readonly',
    `<%= config.bin %> <%= command.id %> --file bank.perdure --eval "root.get('ada').balance"`,
  ]
  static override args = { database: databaseArg }
  static override flags = clientFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbClient)
    const result = await runClient(clientOptions(flags, args.database))
    if (result.failed) process.exitCode = 1
  }
}
