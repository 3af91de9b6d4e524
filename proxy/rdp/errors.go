package rdp

import "errors"

// ErrDisconnected is returned for PDUs by which the peer ends the connection in good order.
var ErrDisconnected = errors.New("rdp: the peer ended the connection")
