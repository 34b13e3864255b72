import { PerdureError } from '../core/errors.js'
import { damage } from './damage.js'

/*
 * V8 takes up to 3 ms and 900 kB for one Unicode property such as \p{RGI_Emoji}, which is 14 bytes of a state. No
 * regular expression that people write comes near this limit; a record made to harm would go far beyond it.
 */

/** What the patterns of one state may cost: as many characters, or 80 Unicode properties. */
const MAX_COST = 20_000
const PROPERTY_COST = 250

/** Bounds what compiling the regular expressions of one state may cost. The same when writing as when reading. */
export class PatternBudget {
  #left = MAX_COST

  /**
   * Counts an expression that is to be written.
   *
   * @throws PerdureError `PERDURE_UNSTORABLE`
   */
  write(regExp: RegExp): void {
    if (this.#spend(regExp.source, regExp.flags)) return
    throw new PerdureError(
      'PERDURE_UNSTORABLE',
      'The regular expressions with the flag u or v in one object are too long, or name too many Unicode properties. ' +
        'Keep them as strings.',
    )
  }

  /**
   * Compiles an expression that was read; nothing of it runs before somebody matches with it.
   *
   * @throws PerdureError `PERDURE_DECODE`
   */
  compile(source: string, flags: string): RegExp {
    if (!this.#spend(source, flags)) throw damage('its regular expressions are too costly')
    try {
      return new RegExp(source, flags)
    } catch (error) {
      throw damage('a regular expression is malformed', undefined, error)
    }
  }

  #spend(source: string, flags: string): boolean {
    // Without these flags compiling is cheap, and put off to the first match.
    if (!/[uv]/.test(flags)) return true
    this.#left -= source.length
    if (this.#left < 0) return false
    this.#left -= PROPERTY_COST * (source.match(/\\p/gi)?.length ?? 0)
    return this.#left >= 0
  }
}
