import { Args } from '@oclif/core'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { render, toPlain, wantsColors } from '../../cli/render.js'
import { openTarget, targetFlags } from '../../cli/target.js'

export default class DbGet extends PerdureCommand {
  static override summary = 'Show the value at a path of keys from the root.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> /accounts/ada/balance --file bank.perdure',
    '<%= config.bin %> <%= command.id %> /accounts/ada --url perdure://127.0.0.1:2972 --json',
  ]
  static override enableJsonFlag = true
  static override args = {
    path: Args.string({ required: true, description: 'Path from the root; see `perdure db ls`.', ignoreStdin: true }),
  }
  static override flags = targetFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbGet)
    await using db = await openTarget(flags, undefined, { readonly: true })
    // Awaited here, because the database is closed when this function returns.
    return await db.view((_root, connection) => {
      const value = connection.find(args.path)
      this.log(typeof value === 'string' ? value : render(value, wantsColors()))
      return { value: toPlain(value, 2) }
    })
  }
}
