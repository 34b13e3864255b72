const NOTE = 'Opened at the counter on a rainy Monday, by a customer who was in no hurry at all'.slice(0, 80)

/**
 * The fields of account `i`, the same for every peer: an owner, a balance of `i`, three tags, a note of 80 characters.
 */
export function accountFields(i) {
  return {
    owner: `Owner ${i}`,
    balance: i,
    tags: ['checking', `branch-${i % 100}`, i % 2 === 0 ? 'gold' : 'silver'],
    note: NOTE,
  }
}

/** What the balances of `count` accounts add up to: proof that all of them were read. */
export function balanceTotal(count) {
  return (count * (count - 1)) / 2
}

/** The numbers below `count` in a random order that is the same each time (Fisher-Yates with a linear congruential generator). */
export function shuffledIds(count) {
  const ids = Array.from({ length: count }, (_, i) => i)
  let seed = 12345
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    const j = seed % (i + 1)
    const id = ids[i]
    ids[i] = ids[j]
    ids[j] = id
  }
  return ids
}

/** @throws Error if a peer did not read what was stored */
export function checkTotal(total, count) {
  if (total !== balanceTotal(count)) throw new Error(`The balances add up to ${total}, not ${balanceTotal(count)}.`)
}
