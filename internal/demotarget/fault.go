package demotarget

import (
	"context"
	"encoding/binary"
	"errors"
	"image"
)

// Fault is a way to misbehave.
type Fault int

// The faults: what a viewer gets instead of its next update.
const (
	FaultNone        Fault = iota
	FaultClose             // the first half of the update, then the end of the connection
	FaultStall             // nothing any more, while the connection stays open
	FaultGarbage           // a message type that does not exist, and noise
	FaultHugeText          // a ServerCutText of 2 GiB less one byte
	FaultOutside           // a rectangle outside the desktop
	FaultUnknown           // a rectangle in an encoding nobody asked for
	FaultHugeZRLE          // a ZRLE rectangle of 4 GiB of data
	FaultCorruptZRLE       // a ZRLE rectangle whose stream is no zlib stream
	FaultHugeDesktop       // a desktop of 65535×65535 pixels
	FaultOutsideCopy       // a CopyRect from outside the desktop
	FaultHugeCursor        // a pointer of 65535×65535 pixels
	FaultHugeName          // a desktop name of 4 GiB
	faults                 // how many there are
)

var errFault = errors.New("demotarget: misbehaved as told")

// Inject makes the server misbehave once, towards the viewer that asks next for an update.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	for conn := range s.conns {
		conn.wakeUp()
	}
}

// misbehave sends the fault; update is what should have been sent. It ends the connection.
func (c *conn) misbehave(ctx context.Context, f Fault, update []byte) error {
	one := func(r image.Rectangle, encoding int32, data ...byte) []byte {
		return append(appendRect([]byte{0, 0, 0, 1}, r, encoding), data...)
	}
	block := image.Rect(0, 0, 16, 16)
	var b []byte
	switch f {
	case FaultClose:
		b = update[:len(update)/2]
	case FaultStall:
	case FaultGarbage:
		b = []byte{200, 1, 2, 3}
		for i := range 1 << 12 {
			b = append(b, byte(i*i>>3))
		}
	case FaultHugeText:
		b = binary.BigEndian.AppendUint32([]byte{3, 0, 0, 0}, 1<<31-1)
	case FaultOutside:
		b = one(block.Add(image.Pt(0xffff-8, 0)), encRaw, make([]byte, 4*16*16)...)
	case FaultUnknown:
		b = one(block, 0x7a7a7a7a, make([]byte, 64)...)
	case FaultHugeZRLE:
		b = one(block, encZRLE, 0xff, 0xff, 0xff, 0xff)
	case FaultCorruptZRLE:
		b = one(block, encZRLE, 0, 0, 0, 8, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4)
	case FaultHugeDesktop:
		b = one(image.Rect(0, 0, 0xffff, 0xffff), encDesktopSize)
	case FaultOutsideCopy:
		b = one(block, encCopyRect, 0xff, 0xf0, 0xff, 0xf0)
	case FaultHugeCursor:
		b = one(image.Rect(0, 0, 0xffff, 0xffff), encCursor)
	case FaultHugeName:
		b = one(image.Rectangle{}, encDesktopName, 0xff, 0xff, 0xff, 0xff)
	}
	if _, err := c.net.Write(b); err != nil {
		return errHungUp
	}
	if f != FaultClose {
		<-ctx.Done() // until the viewer leaves
		return context.Cause(ctx)
	}
	return errFault
}
