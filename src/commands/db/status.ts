import { daemonFlags } from '../../cli/daemon/daemon-flags.js'
import { findDaemon, noSuchServer } from '../../cli/daemon/find-daemon.js'
import { EXIT } from '../../cli/exit-codes.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderTable } from '../../cli/table.js'
import { openTarget } from '../../cli/target.js'

/** A server that runs on this machine answers at once. */
const TIMEOUT_MS = 3000

export default class DbStatus extends PerdureCommand {
  static override summary = 'Show whether a server runs, and its statistics and latencies.'
  static override description =
    `Ends with ${EXIT.notFound} if no server of yours serves the file that is named, and with
${EXIT.unreachable} if nobody answers at the address.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --url perdure://db.example:2972 --json',
  ]
  static override enableJsonFlag = true
  static override flags = daemonFlags

  async run(): Promise<unknown> {
    const { flags } = await this.parse(DbStatus)
    const daemon = findDaemon(flags)
    // Whoever else answers is not the server that is meant.
    if (daemon === undefined && (flags.file ?? flags['pid-file']) !== undefined) throw noSuchServer()
    const [url] = daemon?.urls ?? []
    // A file is no answer to the question whether it is served.
    const server = url === undefined ? { ...flags, file: undefined } : { ...flags, file: undefined, url }
    await using db = await openTarget({ ...server, 'timeout-ms': flags['timeout-ms'] ?? TIMEOUT_MS })
    const statistics = db.statistics
    if (daemon !== undefined) {
      const { pid, file, urls, since } = daemon
      this.log(`Process ${pid} serves ${file ?? 'a temporary database'} at ${urls.join(', ')} since ${since}`)
    }
    this.log(renderTable(['figure', 'value'], Object.entries(statistics)))
    return { running: true, ...daemon, statistics }
  }
}
