import { Persistent } from '../../src/core/persistent.js'

/** A persistent object that tests put into collections. */
export class Thing extends Persistent {
  name: string

  constructor(name: string) {
    super()
    this.name = name
  }
}
