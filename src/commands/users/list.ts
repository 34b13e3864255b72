import { PerdureCommand } from '../../cli/perdure-command.js'
import { renderTable } from '../../cli/table.js'
import { requireUsersFile, usersFlag } from '../../cli/users-file.js'
import { listUsers } from '../../server.js'

export default class UsersList extends PerdureCommand {
  static override summary = 'List the users who may log in to a server, and their roles.'
  static override examples = ['<%= config.bin %> <%= command.id %> --users users.txt']
  static override enableJsonFlag = true
  static override flags = { users: usersFlag }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(UsersList)
    const users = await listUsers(requireUsersFile(flags.users))
    this.log(
      renderTable(
        ['name', 'role'],
        users.map(({ name, role }) => [name, role]),
      ),
    )
    return { users }
  }
}
