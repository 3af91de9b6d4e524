package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The dial socket: one datagram asks, one answers.
//
//	request: purpose (1 byte), number (4, big endian), address (host:port, or nothing for the target's own)
//	answer:  number (4), code (1); with codeConnected also a connected TCP socket (SCM_RIGHTS)
//
// The worker asks for one connection at a time. Numbers tell an answer that came too late from the one waited for.

// purpose is why a worker needs a connection.
type purpose byte

const (
	purposeReconnect purpose = 1 // the connection to the target broke
	purposeRedirect  purpose = 2 // the target sends the session to another machine
)

func (p purpose) String() string {
	switch p {
	case purposeReconnect:
		return "reconnect"
	case purposeRedirect:
		return "redirect"
	}
	return fmt.Sprintf("purpose %d", byte(p))
}

// dialCode is what became of a request.
type dialCode byte

const (
	codeConnected   dialCode = iota
	codeMalformed            // the request makes no sense
	codeNotAllowed           // the configuration allows no connection to this address
	codeTooOften             // there were too many requests
	codeUnreachable          // there is no connection to be had
	codeTimeout              // nothing answers there
)

const (
	requestHeader = 5
	answerBytes   = 5
	// maxAddressBytes bounds host:port: a name of 253 bytes, brackets and a port.
	maxAddressBytes = 262
	// maxRequestDatagram is what serve reads at most; one byte more than there can be shows a longer one.
	maxRequestDatagram = requestHeader + maxAddressBytes + 1
)

// dialRequest asks for a connection.
type dialRequest struct {
	purpose purpose
	number  uint32
	address string
}

func (r dialRequest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(r.purpose)), r.number)
	return append(b, r.address...)
}

var errDialRequest = errors.New("worker: malformed request on the dial socket")

func (r *dialRequest) decode(b []byte) error {
	if len(b) < requestHeader || len(b) > requestHeader+maxAddressBytes {
		return fmt.Errorf("%w: %d bytes", errDialRequest, len(b))
	}
	p := purpose(b[0])
	if p != purposeReconnect && p != purposeRedirect {
		return fmt.Errorf("%w: purpose %d", errDialRequest, b[0])
	}
	*r = dialRequest{p, binary.BigEndian.Uint32(b[1:]), string(b[requestHeader:])}
	return nil
}

// dialAnswer answers one.
type dialAnswer struct {
	number uint32
	code   dialCode
}

func (a dialAnswer) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, a.number), byte(a.code))
}

func (a *dialAnswer) decode(b []byte) error {
	if len(b) != answerBytes {
		return fmt.Errorf("worker: answer of %d bytes on the dial socket", len(b))
	}
	*a = dialAnswer{binary.BigEndian.Uint32(b), dialCode(b[4])}
	return nil
}
