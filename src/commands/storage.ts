import { PerdureCommand } from '../cli/perdure-command.js'
import { formatBytes } from '../cli/progress.js'
import { renderTable } from '../cli/table.js'
import { databaseArg, openTarget, targetFlags } from '../cli/target.js'

export default class StorageCommand extends PerdureCommand {
  static override summary = 'Say what a file or a server is: kind, format, serializer, size, objects, index, history.'
  static override examples = ['<%= config.bin %> <%= command.id %> bank.perdure']
  static override enableJsonFlag = true
  static override args = { database: databaseArg }
  static override flags = targetFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(StorageCommand)
    await using db = await openTarget(flags, args.database, { readonly: true })
    const { kind, location, serializer, capabilities } = db.storage
    const { bytes, tid, objects, historyFrom, formatVersion, indexCheckpoint } = db.statistics
    const facts = {
      location,
      kind,
      serializer,
      capabilities: [...capabilities],
      bytes,
      tid,
      ...(formatVersion !== undefined && { format: formatVersion }),
      ...(objects !== undefined && { objects }),
      ...(indexCheckpoint !== undefined && { index: indexCheckpoint }),
      ...(historyFrom !== undefined && { historyFrom }),
    }
    const shown = { ...facts, capabilities: facts.capabilities.join(' '), bytes: `${bytes} (${formatBytes(bytes)})` }
    this.log(
      renderTable(
        ['fact', 'value'],
        Object.entries(shown).map(([name, value]) => [name, String(value)]),
      ),
    )
    return facts
  }
}
