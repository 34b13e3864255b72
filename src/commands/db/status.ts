import { daemonFlags } from '../../cli/daemon/daemon-flags.js'
import { findDaemon } from '../../cli/daemon/find-daemon.js'
import { EXIT } from '../../cli/exit-codes.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderTable } from '../../cli/table.js'
import { chooseTarget, openTarget, type Target } from '../../cli/target.js'

export default class DbStatus extends PerdureCommand {
  static override summary = 'Show whether a server runs, and its statistics and latencies.'
  static override description = `Ends with ${EXIT.unreachable} if there is no server.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --url perdure://db.example:2972 --json',
  ]
  static override enableJsonFlag = true
  static override flags = daemonFlags

  async run(): Promise<unknown> {
    const { flags } = await this.parse(DbStatus)
    const daemon = findDaemon(flags)
    const [url] = daemon?.urls ?? []
    const target: Target = url === undefined ? chooseTarget({ ...flags, file: undefined }) : { kind: 'server', url }
    await using db = await openTarget(target, { readonly: true, connectTimeoutMs: 2000 })
    const statistics = db.statistics
    if (daemon !== undefined) {
      const { pid, file, urls, since } = daemon
      this.log(`Process ${pid} serves ${file ?? 'a temporary database'} at ${urls.join(', ')} since ${since}`)
    }
    this.log(renderTable(['figure', 'value'], Object.entries(statistics)))
    return { running: true, ...daemon, statistics }
  }
}
