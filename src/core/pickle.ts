/**
 * Stands in place of a serializer's name in databases that Durus clients (Python) use. Their states are pickles, which
 * Perdure keeps as they are: nothing here can encode or decode them, so `open()` refuses such a database.
 */
export const PICKLE = 'pickle'
