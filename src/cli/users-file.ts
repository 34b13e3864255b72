import { PerdureError } from '../index.js'
import { stringFlag } from './setting-flags.js'

/** The file that a command of `perdure users` works on. */
export const usersFlag = stringFlag('users')

/** @throws PerdureError `PERDURE_ARGUMENT` if no file is given */
export function requireUsersFile(users: string | undefined): string {
  if (users !== undefined) return users
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    'Which file? Give --users, PERDURE_USERS or `users` in perdure.config.json.',
  )
}
