import { expect } from 'chai'
import { BACKLOG_BYTES, BACKLOG_WORDS, Backlog } from '../../../src/storages/client/bridge-messages.js'

describe('Backlog', () => {
  it('stops the one side when the other one is too far behind, and lets it go on', () => {
    const words = new Int32Array(new SharedArrayBuffer(BACKLOG_WORDS * 4))
    const [socket, application] = [new Backlog(words), new Backlog(words)]
    const chunk = 65_536
    // More than 2^32 bytes, so that the counters wrap around.
    for (let round = 0; round < 300; round++) {
      let sent = 0
      while (!socket.received(chunk)) sent += chunk
      expect(sent).to.equal(BACKLOG_BYTES)
      expect(application.consumed(chunk)).to.equal(true)
      for (; sent > 0; sent -= chunk) expect(application.consumed(chunk)).to.equal(false)
    }
  })
})
