import { isUtf8 } from 'node:buffer'

/*
 * Text and numbers as pickles spell them. Everything here gives undefined for what is spelled wrong.
 * https://github.com/python/cpython/blob/main/Lib/pickletools.py tells each form.
 */

// The engine's own decoder, where there is one: `toString` spends as long again on checking its arguments.
const utf8Slice: (this: Buffer, start: number, end: number) => string =
  (Buffer.prototype as { utf8Slice?: (this: Buffer, start: number, end: number) => string }).utf8Slice ??
  function (start, end) {
    return this.toString('utf8', start, end)
  }

/**
 * Text from UTF-8 in which, as Python's `surrogatepass` has it, lone surrogates may stand. Buffers decode these to
 * U+FFFD, so what has one is looked at again.
 */
export function textOf(bytes: Buffer, start = 0, end = bytes.length): string | undefined {
  const text = utf8Slice.call(bytes, start, end)
  if (!text.includes('\ufffd')) return text
  const own = bytes.subarray(start, end)
  return isUtf8(own) ? text : withSurrogates(own)
}

function withSurrogates(bytes: Buffer): string | undefined {
  let text = ''
  let start = 0
  for (let i = 0; i + 2 < bytes.length; i++) {
    const second = bytes[i + 1] as number
    const third = bytes[i + 2] as number
    if (bytes[i] !== 0xed || second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue
    const before = bytes.subarray(start, i)
    if (!isUtf8(before)) return undefined
    text += before.toString('utf8') + String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f))
    start = i + 3
    i += 2
  }
  const rest = bytes.subarray(start)
  return isUtf8(rest) ? text + rest.toString('utf8') : undefined
}

/** An int of two's complement, the lowest byte first. */
export function intOf(bytes: Buffer): number | bigint {
  const { length } = bytes
  if (length === 0) return 0
  if (length <= 6) return bytes.readIntLE(0, length)
  const digits = Buffer.from(bytes).reverse().toString('hex')
  const value = BigInt.asIntN(8 * length, BigInt(`0x${digits}`))
  return numberIfExact(value)
}

/** Engines take longer than linear time to read decimal digits, so there is a limit to them. */
const MAX_DECIMAL_DIGITS = 20_000

/** An int in decimal digits. */
export function decimalOf(text: string): number | bigint | undefined {
  const digits = text.trim()
  if (digits.length > MAX_DECIMAL_DIGITS || !/^[+-]?[0-9]+$/.test(digits)) return undefined
  return digits.length < 16 ? Number(digits) + 0 : numberIfExact(BigInt(digits.replace(/^\+/, '')))
}

function numberIfExact(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** A float as Python's `repr` writes it. */
export function floatOf(text: string): number | undefined {
  const digits = text.trim().toLowerCase()
  const special = /^([+-]?)(inf|infinity|nan)$/.exec(digits)
  if (special !== null) return special[2] === 'nan' ? Number.NaN : special[1] === '-' ? -Infinity : Infinity
  return /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/.test(digits) ? Number(digits) : undefined
}

/** Text in Python's `raw-unicode-escape`. */
export function rawEscapedText(bytes: Buffer): string | undefined {
  const raw = bytes.toString('latin1')
  if (!raw.includes('\\')) return raw
  let valid = true
  const text = raw.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))/g, (whole, four, eight, other) => {
    if (other !== undefined) {
      if (other === 'u' || other === 'U') valid = false
      return whole
    }
    const code = Number.parseInt(four ?? eight, 16)
    if (code > 0x10ffff) valid = false
    return valid ? String.fromCodePoint(code) : ''
  })
  return valid ? text : undefined
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** The bytes of a Python 2 string literal, quotes included. */
export function literalBytes(literal: Buffer): Buffer | undefined {
  const text = literal.toString('latin1').trimEnd()
  const quote = text[0]
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text[text.length - 1] !== quote) return undefined
  let valid = true
  const raw = text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([\s\S]?))/g, (whole, hex, octal, other) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255)
      if (other === '' || other === 'x') valid = false
      return ESCAPES[other] ?? whole
    })
  return valid ? Buffer.from(raw, 'latin1') : undefined
}

/** True if all bytes are below 128. */
export function isAsciiBytes(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte > 127) return false
  return true
}
