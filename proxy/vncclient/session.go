package vncclient

import (
	"image"
	"log/slog"
	"net"
	"sync"
	"time"

	vnc "github.com/mitchellh/go-vnc"

	"github.com/vitrine-psm/vitrine/codec/rfbenc"
	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/outbox"
)

// session is the state of one connection.
type session struct {
	cfg  Config
	log  *slog.Logger
	fb   *desktop.Framebuffer
	conn *conn
	in   *rfbenc.Reader // conn's
	out  *outbox.Queue

	offers []vnc.Encoding

	causeMu sync.Mutex
	err     error // why the session ended: the first of all reasons

	// Owned by the goroutine that reads.
	minor      int    // of the RFB version: 3, 7 or 8
	name       string // of the desktop when the session began
	size       image.Point
	encodings  map[int32]vnc.Encoding // those of offers the target may send
	rect       vnc.Rectangle          // the rectangle being read
	lastRect   bool                   // the present update ends here
	resized    bool                   // during the present update
	continuous bool                   // the target sends updates unasked
	offeredCU  bool                   // the target can do so
	rang       time.Time              // the last bell passed on

	// Learned by the goroutine that reads, used by those that send.
	able      sync.Mutex
	resizable bool
	screen    screen // the target's first one
	qemuKeys  bool
	extMouse  bool

	input     inputState
	clipboard clipboard
}

func newSession(cfg Config, nc net.Conn, fb *desktop.Framebuffer) *session {
	s := &session{cfg: cfg, log: cfg.Logger, fb: fb, out: outbox.New(outboxSoft, outboxHard)}
	s.conn = newConn(nc, s)
	s.in = s.conn.in
	s.offers = s.newEncodings()
	s.encodings = make(map[int32]vnc.Encoding, len(s.offers))
	for _, e := range s.offers {
		if e.(*encoding).read != nil {
			s.encodings[e.Type()] = e
		}
	}
	return s
}

// fail ends the session; err is its cause unless there is one already.
func (s *session) fail(err error) {
	s.blame(err)
	_ = s.conn.raw.Close()
}

// blame makes err the cause of the session's end, unless there is one already.
func (s *session) blame(err error) {
	s.causeMu.Lock()
	defer s.causeMu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// cause returns why the session ended.
func (s *session) cause() error {
	s.causeMu.Lock()
	defer s.causeMu.Unlock()
	return s.err
}

// write sends what is queued until the outbox is closed or the target reads no more.
func (s *session) write() {
	s.out.Run(func(b []byte) error {
		err := s.conn.transport.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = s.conn.transport.Write(b)
		}
		if err != nil {
			// Before the outbox closes, so that this is the cause and not what follows from it.
			s.fail(streamError("writing to the target", err))
		}
		return err
	})
}

// start asks for the picture, in the format and the encodings wanted.
func (s *session) start(vc *vnc.ClientConn) {
	// These go through the outbox, whose only error is that the session has ended.
	_ = vc.SetPixelFormat(&pixelFormat)
	_ = vc.SetEncodings(s.offers)
	_ = s.requestUpdate(false)
}

// pixelFormat is that of desktop.Framebuffer: blue in the lowest byte, little endian.
var pixelFormat = vnc.PixelFormat{
	BPP: 32, Depth: 24, TrueColor: true,
	RedMax: 255, GreenMax: 255, BlueMax: 255,
	RedShift: 16, GreenShift: 8, BlueShift: 0,
}
