import { Args } from '@oclif/core'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { requireUsersFile, usersFlag } from '../../cli/users-file.js'
import { removeUser } from '../../server.js'

export default class UsersRemove extends PerdureCommand {
  static override summary = 'Remove a user, who can no longer log in to a server.'
  static override description = 'Connections that are open go on until they end.'
  static override examples = ['<%= config.bin %> <%= command.id %> ada --users users.txt']
  static override args = { name: Args.string({ required: true, description: 'Name of the user.', ignoreStdin: true }) }
  static override flags = { users: usersFlag }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersRemove)
    await removeUser(requireUsersFile(flags.users), args.name)
    this.log(`${args.name} can no longer log in.`)
  }
}
