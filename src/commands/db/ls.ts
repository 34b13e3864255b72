import { Args, Flags } from '@oclif/core'
import { entriesOf } from '../../cli/entries.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderLine, toPlain } from '../../cli/render.js'
import { renderTable } from '../../cli/table.js'
import { openTarget, targetFlags } from '../../cli/target.js'

export default class DbLs extends PerdureCommand {
  static override summary = 'List what an object holds, walking the graph by keys.'
  static override description = `A path leads from the root through keys of collections, names of fields and indexes:
/accounts/ada/tags/0. %2F stands for a slash within a key.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --file bank.perdure',
    '<%= config.bin %> <%= command.id %> /accounts --file bank.perdure --limit 20',
  ]
  static override enableJsonFlag = true
  static override args = {
    path: Args.string({ default: '/', description: 'Path from the root.', ignoreStdin: true }),
  }
  static override flags = {
    ...targetFlags,
    limit: Flags.integer({ summary: 'Show at most so many entries.', default: 1000, min: 1 }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DbLs)
    await using db = await openTarget(flags, undefined, { readonly: true })
    // Awaited here, because the database is closed when this function returns.
    return await db.view((_root, connection) => {
      const shown: { key: unknown; value: unknown }[] = []
      let more = false
      for (const entry of entriesOf(connection.find(args.path))) {
        more = shown.length === flags.limit
        if (more) break
        shown.push(entry)
      }
      this.log(
        renderTable(
          ['key', 'value'],
          shown.map(({ key, value }) => [renderLine(key), renderLine(value)]),
        ),
      )
      if (more) this.log(`... and more; see --limit`)
      return { entries: shown.map(({ key, value }) => ({ key: toPlain(key), value: toPlain(value) })), more }
    })
  }
}
