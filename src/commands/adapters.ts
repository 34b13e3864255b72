import { PerdureCommand } from '../cli/perdure-command.js'
import { renderTable } from '../cli/table.js'

export default class Adapters extends PerdureCommand {
  static override summary = 'List the serializers, kinds of storage and plugins there are, and where each comes from.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    await this.parse(Adapters)
    const registered = await this.registered()
    const serializers = listOf(registered.serializers)
    const storages = listOf(registered.storages)
    const plugins = [...this.config.plugins.values()]
      .filter(({ name }) => name !== this.config.name)
      .map(({ name, version, type }) => ({ name, version, from: ORIGINS[type] ?? type }))
    this.log(
      renderTable(
        ['kind', 'name', 'from'],
        [
          ...serializers.map(({ name, from }) => ['serializer', name, from]),
          ...storages.map(({ name, from }) => ['storage', name, from]),
          ...plugins.map(({ name, version, from }) => ['plugin', `${name} ${version}`, from]),
        ],
      ),
    )
    return { serializers, storages, plugins }
  }
}

/** What oclif calls the kinds of plugins, in words. */
const ORIGINS: Record<string, string> = { core: 'comes with perdure', user: 'installed', link: 'linked' }

function listOf(owners: ReadonlyMap<string, string>) {
  return Array.from(owners, ([name, from]) => ({ name, from }))
}
