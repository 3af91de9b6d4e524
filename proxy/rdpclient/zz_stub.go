package rdpclient

import (
	"crypto/tls"
	"image"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/rdp/dvc"
)

const maxClipboardMessage = 8 << 20

type clipboard struct{}

func newClipboard(*session, func([]byte) error) *clipboard { return &clipboard{} }
func (*clipboard) message([]byte) error                    { return nil }
func (c *staticChannels) offerClipboard(string) error      { return nil }

type display struct{ s *session }

type nop struct{}

func (nop) Message([]byte) error { return nil }
func (nop) Closed()              {}

func (d *display) open(ch *dvc.Channel) (dvc.Handler, error)         { return nop{}, nil }
func (s *session) resize(image.Point) error                          { return desktop.ErrUnsupported }
func (s *session) authenticate(*tls.Conn, string) error              { return desktop.ErrAuth }
func (c *staticChannels) startTicker() *time.Ticker                  { return time.NewTicker(time.Hour) }
func (c *staticChannels) tooLong(ch *staticChannel, err error) error { return err }
