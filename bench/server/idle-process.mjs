import { once } from 'node:events'
import { connect } from 'node:net'
import { shakeHands } from '../../dist/src/storages/client/handshake.js'

// Opens connections to a server and does nothing with them, but read what it says, until the parent goes away.
const { port, count } = JSON.parse(process.argv[2])
for (let i = 0; i < count; i++) {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  await shakeHands(socket, {})
  socket.resume()
}
process.send('connected')
process.once('disconnect', () => process.exit())
