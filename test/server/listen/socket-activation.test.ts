import { expect } from 'chai'
import { activatedSockets } from '../../../src/server/listen/socket-activation.js'
import { failure } from '../../support/errors.js'

describe('activatedSockets', () => {
  const pid = String(process.pid)

  it('gives the descriptors from 3 on, once', () => {
    const environment = { LISTEN_PID: pid, LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b', OTHER: 'stays' }
    expect(activatedSockets(environment)).to.deep.equal([3, 4])
    expect(environment).to.deep.equal({ OTHER: 'stays' })
    expect(activatedSockets(environment)).to.deep.equal([])
  })

  it('leaves alone what was meant for another process', () => {
    const environment = { LISTEN_PID: '1', LISTEN_FDS: '2' }
    expect(activatedSockets(environment)).to.deep.equal([])
    expect(environment).to.have.property('LISTEN_FDS')
    expect(activatedSockets({})).to.deep.equal([])
  })

  for (const count of [undefined, '', '0', '-1', '1x', '99999']) {
    it(`refuses ${count} sockets`, () =>
      failure('PERDURE_ARGUMENT', () => activatedSockets({ LISTEN_PID: pid, LISTEN_FDS: count })))
  }
})
