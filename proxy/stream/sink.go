// Package stream turns the picture of one session into one stream of access units and hands it to every
// sink: viewers, native clients, the recorder. One encode, whatever the number of sinks.
package stream

import (
	"context"
	"errors"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// Sink takes access units in order, from an IDR on. It may block, because the Hub owns one bounded queue and
// one goroutine per sink. au is shared and must not be written.
type Sink interface {
	WriteUnit(ctx context.Context, au *h264.AccessUnit) error
}

// Overflow says what happens to a sink that falls behind its queue.
type Overflow int

const (
	// DropToIDR empties the queue, counts what was dropped, asks for an IDR and goes on from there: viewers.
	DropToIDR Overflow = iota
	// Fail ends Serve with ErrOverflow: the recorder, whose failure ends the session.
	Fail
)

// ErrOverflow is returned by Hub.Serve when a sink registered with Fail could not keep up.
var ErrOverflow = errors.New("stream: sink fell behind its queue")
