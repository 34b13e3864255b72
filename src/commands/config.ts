import { loadConfigFile } from '../cli/config-file.js'
import { effectiveSettings } from '../cli/effective-settings.js'
import { PerdureCommand } from '../cli/perdure-command.js'
import { renderTable } from '../cli/table.js'

export default class Config extends PerdureCommand {
  static override summary = 'Show the settings that hold here, and where each comes from.'
  static override description =
    'A flag goes before the environment, and the environment before the configuration file perdure.config.json, .js, .mjs, .cjs or .ts, which is looked for in this folder and those above it.'
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']
  static override enableJsonFlag = true

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Config)
    const file = await loadConfigFile(flags.config)
    const settings = effectiveSettings(file)
    const shown = settings.filter(({ value }) => value !== undefined)
    this.log(file.path === undefined ? 'There is no configuration file.' : `Configuration file: ${file.path}`)
    this.log(
      renderTable(
        ['setting', 'value', 'from'],
        shown.map(({ name, value, source }) => [name, String(value), source]),
      ),
    )
    return { file: file.path ?? null, settings }
  }
}
