import { expect } from 'chai'
import { saslprep } from '../../../src/server/auth/saslprep.js'
import { failure } from '../../support/errors.js'

describe('saslprep', () => {
  // RFC 4013, section 3.
  for (const [text, prepared] of [
    ['I\u00ADX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00AA', 'a'],
    ['\u2168', 'IX'],
  ] as const) {
    it(`turns ${JSON.stringify(text)} into ${prepared}`, () => expect(saslprep(text, 'name')).to.equal(prepared))
  }

  it('maps spaces to the ordinary one, and composes accents', () => {
    expect(saslprep('a\u00A0b\u3000c', 'name')).to.equal('a b c')
    expect(saslprep('e\u0301', 'name')).to.equal('\u00E9')
  })

  it('takes text from right to left, and text of several planes', () => {
    for (const text of ['שלום', 'سلام', 'سلام1سلام', '😀', 'ada']) expect(saslprep(text, 'name')).to.equal(text)
  })

  for (const [what, text] of [
    ['a control character', 'a\u0007'],
    ['a NUL', 'a\0b'],
    ['a line break', 'a\nb'],
    ['a C1 control character', 'a\u0085'],
    ['a private use character', '\uE000'],
    ['a lone surrogate', 'a\uD800'],
    ['a non-character', '\uFFFF'],
    ['a replacement character', '\uFFFD'],
    ['an ideographic description character', '\u2FF0'],
    ['a change of direction', 'a\u202Eb'],
    ['a tag', '\u{E0041}'],
    ['an unassigned character', '\u0378'],
    ['text from right to left that ends with a digit', '\u06271'],
    ['text of both directions', 'سaس'],
    ['nothing', ''],
    ['nothing but what is mapped to nothing', '\u00AD\u200B'],
  ] as const) {
    it(`refuses ${what}`, () => failure('PERDURE_ARGUMENT', () => saslprep(text, 'password')))
  }

  it('does not repeat a password in its message', async () => {
    const error = await failure('PERDURE_ARGUMENT', () => saslprep('pencil\u0007', 'password'))
    expect(error.message).to.include('password').and.not.include('pencil')
  })
})
