import { field, Persistent } from '../../src/index.js'

/* Compiled, never run: see root.ts. */

export class Account extends Persistent {
  @field accessor owner = ''
  @field accessor friend: Account | undefined

  // @ts-expect-error @field is for accessors
  @field plain = 1

  // @ts-expect-error @field is for accessors
  @field method(): void {}
}

export class NotPersistent {
  // @ts-expect-error @field is for persistent classes
  @field accessor owner = ''
}

export function use(account: Account): void {
  account.owner = 'Ada'
  account.friend = account
  // @ts-expect-error an owner is a string
  account.owner = 1
}
