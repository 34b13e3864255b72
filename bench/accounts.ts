import { field, Persistent } from '../src/index.js'

/** What every peer stores a hundred thousand of: five fields, about 200 bytes. */
export class Account extends Persistent {
  owner = ''
  balance = 0
  tags: string[] = []
  note = ''
  next: Account | undefined = undefined
}

/** The same with the fast kind of fields. */
export class FieldAccount extends Persistent {
  @field accessor owner = ''
  @field accessor balance = 0
  @field accessor tags: string[] = []
  @field accessor note = ''
  @field accessor next: FieldAccount | undefined = undefined
}

/** The same, and not persistent. */
export class PlainAccount {
  owner = ''
  balance = 0
  tags: string[] = []
  note = ''
  next: PlainAccount | undefined = undefined
}
