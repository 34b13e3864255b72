import { PerdureError } from '../../core/errors.js'

/** RFC 3454 table B.1: what is mapped to nothing. */
const MAPPED_TO_NOTHING = /\u034F|[\u180B-\u180D]|[\uFE00-\uFE0F]|[\u00AD\u1806\u200B-\u200D\u2060\uFEFF]/gu

/** RFC 3454 table C.1.2: spaces that become the ordinary one. U+200B is in B.1 as well, which goes first. */
const OTHER_SPACES = /[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/gu

/**
 * RFC 3454 tables C.2.1 to C.9: control characters, private use, non-characters, surrogates, what is inappropriate for
 * plain text or for canonical representation, what changes the display or is deprecated, and tagging characters.
 */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06DD\u070F\u180E\u200C-\u200F\u2028-\u202E\u2060-\u2063\u206A-\u206F\u2FF0-\u2FFB\uFEFF\uFFF9-\uFFFD\u{1D173}-\u{1D17A}\u{E0001}\u{E0020}-\u{E007F}]|[\u0340\u0341]/u

/** Code points that the Unicode version of this Node does not know: their normalization may change. */
const UNASSIGNED = /\p{Cn}/u

/** RFC 3454 table D.1: characters written from right to left. */
const RIGHT_TO_LEFT =
  /[\u05BE\u05C0\u05C3\u05D0-\u05EA\u05F0-\u05F4\u061B\u061F\u0621-\u063A\u0640-\u064A\u066D-\u066F\u0671-\u06D5\u06DD\u06E5\u06E6\u06FA-\u06FE\u0700-\u070D\u0710\u0712-\u072C\u0780-\u07A5\u07B1\u200F\uFB1D\uFB1F-\uFB28\uFB2A-\uFB36\uFB38-\uFB3C\uFB3E\uFB40\uFB41\uFB43\uFB44\uFB46-\uFBB1\uFBD3-\uFD3D\uFD50-\uFD8F\uFD92-\uFDC7\uFDF0-\uFDFC\uFE70-\uFE74\uFE76-\uFEFC]/u

const LETTER = /\p{L}/u

/**
 * Prepares a user name or a password as SASLprep (RFC 4013) does, so that the same text, typed on different keyboards,
 * gives the same bytes: mapping, normalization NFKC, and the refusal of prohibited and of unassigned characters and of
 * text whose direction is ambiguous.
 *
 * Two steps follow the Unicode version of Node instead of the RFC's 3.2: which characters are unassigned, and, in text
 * with right-to-left characters, what counts as written from left to right, which here is every letter not in table D.1.
 *
 * @param what what it is, for the message: the text itself is never in it
 * @throws PerdureError `PERDURE_ARGUMENT` if the text is empty, or has a character or a direction that is not allowed
 */
export function saslprep(text: string, what: string): string {
  const prepared = text.replace(MAPPED_TO_NOTHING, '').replace(OTHER_SPACES, ' ').normalize('NFKC')
  if (prepared === '') throw refuse(what, 'is empty')
  if (PROHIBITED.test(prepared)) throw refuse(what, 'has a control character, or another one that is not allowed')
  if (UNASSIGNED.test(prepared)) throw refuse(what, 'has a character that Unicode does not know yet')
  if (!hasOneDirection(prepared)) throw refuse(what, 'mixes writing from right to left and from left to right')
  return prepared
}

/** RFC 3454, section 6. */
function hasOneDirection(text: string): boolean {
  const characters = [...text]
  if (!characters.some((character) => RIGHT_TO_LEFT.test(character))) return true
  const begins = RIGHT_TO_LEFT.test(characters[0] as string)
  const ends = RIGHT_TO_LEFT.test(characters.at(-1) as string)
  return begins && ends && characters.every((character) => !LETTER.test(character) || RIGHT_TO_LEFT.test(character))
}

function refuse(what: string, why: string): PerdureError {
  return new PerdureError('PERDURE_ARGUMENT', `The ${what} ${why}. Choose another one.`)
}
