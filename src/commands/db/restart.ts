import { daemonFlags } from '../../cli/daemon/daemon-flags.js'
import { detach } from '../../cli/daemon/detach.js'
import { requireDaemon } from '../../cli/daemon/find-daemon.js'
import { stopServer } from '../../cli/daemon/stop-server.js'
import { settingsIn } from '../../cli/effective-settings.js'
import { PerdureCommand } from '../../cli/perdure-command.js'

const TIMEOUT_MS = 30_000

export default class DbRestart extends PerdureCommand {
  static override summary = 'Stop a server on this machine, and start it again in the background as it was started.'
  static override description = 'Clients wait for it and go on. A temporary database does not survive this.'
  static override examples = ['<%= config.bin %> <%= command.id %> --file bank.perdure']
  static override flags = daemonFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(DbRestart)
    const daemon = requireDaemon(flags)
    await stopServer(daemon, flags['timeout-ms'] ?? TIMEOUT_MS)
    // Paths among the arguments and in the environment are relative to where it was started.
    process.chdir(daemon.cwd)
    const others = Object.entries(process.env).filter(([name]) => !(name in settingsIn(process.env)))
    const env = { ...Object.fromEntries(others), ...daemon.environment }
    const { args, logFile, pidFile, file } = daemon
    for (const line of await detach({ args, logFile, pidFile, file, env })) this.log(line)
  }
}
