package rdpclient

import (
	"context"
	"errors"
	"image"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
	"github.com/vitrine-psm/vitrine/proxy/outbox"
	"github.com/vitrine-psm/vitrine/proxy/rdp"
)

// session is the state of one connection.
type session struct {
	cfg    *Config
	log    *slog.Logger
	fb     *desktop.Framebuffer
	kept   *carried
	wished image.Point // the desktop's size to ask for

	raw       net.Conn // what was dialled
	transport net.Conn // raw, then TLS on it
	frames    *rdp.FrameReader
	out       *outbox.Queue

	causeMu sync.Mutex
	ended   bool
	err     error // why it ended: the first of all reasons, of which none is one

	// Set by connect.
	due                         time.Time    // when the desktop must be there
	protocol                    rdp.Protocol // negotiated
	user, ioChannel, msgChannel uint16

	// Owned by the goroutine that reads.
	shareID   uint32
	active    bool           // between finalization and deactivation
	errorInfo rdp.ErrorInfo  // the target's last word on why it ends
	heartbeat time.Duration  // silence that means a broken connection; zero: none is promised
	fragments rdp.Fragments  // of fast-path updates
	drawn     time.Time      // when the first pixel not yet shown was drawn; zero: none
	onActive  func()         // called once, when input may flow
	refreshes bool           // it takes Refresh Rect PDUs
	nudges    int            // times that a silent target may still be asked for its picture
	rang      time.Time      // the last bell passed on
	screen    screen         // the decoders
	pointers  pointers       // the cache of shapes
	channels  staticChannels // clipboard, dynamic channels

	// Learned by the goroutine that reads, used by those that send.
	able  sync.Mutex
	input inputAbility
	held  heldInput
}

func newSession(cfg *Config, conn net.Conn, fb *desktop.Framebuffer, kept *carried) *session {
	s := &session{
		cfg: cfg, log: cfg.Logger, fb: fb, kept: kept, raw: conn, transport: conn, out: outbox.New(outboxSoft, outboxHard),
	}
	s.screen.s = s
	s.channels.init(s)
	return s
}

// run reads until the target or ctx ends. onActive is called when input may flow.
func (s *session) run(ctx context.Context, onActive func()) error {
	s.onActive = onActive
	var writer sync.WaitGroup
	writer.Go(s.write)
	// The reader ends when the connection does; ctx ends it after what is held down was let go of.
	over := make(chan struct{})
	var stopper sync.WaitGroup
	stopper.Go(func() {
		select {
		case <-ctx.Done():
			s.blame(context.Cause(ctx))
			s.releaseHeld()
			s.out.Flush(releaseTimeout)
			_ = s.raw.Close()
		case <-over:
		}
	})
	err := s.read()
	s.blame(err)
	close(over)
	stopper.Wait()
	_ = s.raw.Close()
	s.out.Close()
	writer.Wait()
	s.channels.close()
	s.fb.Commit()
	return s.cause()
}

// read handles PDUs until the connection ends.
func (s *session) read() error {
	for {
		if s.frames.Buffered() == 0 && !s.goesOn() {
			s.commit()
			if err := s.transport.SetReadDeadline(s.patience()); err != nil {
				return s.lost("setting a deadline", err)
			}
			if err := s.frames.Wait(); err != nil {
				if s.nudges > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
					s.nudge()
					continue
				}
				return s.lost("waiting for the target", err)
			}
			if err := s.transport.SetReadDeadline(time.Now().Add(messageProgress)); err != nil {
				return s.lost("setting a deadline", err)
			}
		} else if !s.drawn.IsZero() && time.Since(s.drawn) >= commitInterval {
			s.commit()
		}
		frame, err := s.frames.Next()
		if err != nil {
			return s.lost("reading from the target", err)
		}
		if err := s.handle(frame); err != nil {
			if errors.Is(err, rdp.ErrDisconnected) {
				return s.farewell()
			}
			return streamError("handling a message of the target", err)
		}
	}
}

// goesOn waits a moment for the rest of what the target is drawing and reports whether it comes. Servers send one change as
// many small pictures and nowhere say that it is whole; shown in parts it would be encoded as often.
func (s *session) goesOn() bool {
	if s.drawn.IsZero() {
		return false
	}
	// An error comes again with the next read.
	if s.transport.SetReadDeadline(time.Now().Add(settleTime)) != nil || s.frames.Wait() != nil {
		return false
	}
	return s.transport.SetReadDeadline(time.Now().Add(messageProgress)) == nil
}

// patience returns when a target that says nothing has said nothing for too long; zero is never.
func (s *session) patience() time.Time {
	switch {
	case s.onActive != nil:
		return s.due
	case s.nudges > 0:
		return time.Now().Add(nudgeAfter)
	case s.heartbeat > 0:
		return time.Now().Add(s.heartbeat)
	}
	return time.Time{}
}

// nudge asks a target that has shown nothing yet for all of its picture. gnome-remote-desktop 43 opens the graphics
// channel when it has a picture and the next message reaches it, which would otherwise be the person's first input.
func (s *session) nudge() {
	s.nudges--
	area := image.Rectangle{Max: s.screen.size}
	// An error means that the connection has ended.
	_ = s.sendData(rdp.DataRefreshRect, func(b []byte) []byte { return rdp.AppendRefreshRect(b, area) })
}

// commit shows what was drawn.
func (s *session) commit() {
	if !s.drawn.IsZero() {
		s.drawn = time.Time{}
		s.fb.Commit()
	}
}

// drew notes that pixels wait to be shown.
func (s *session) drew() {
	s.nudges = 0
	if s.drawn.IsZero() {
		s.drawn = time.Now()
	}
}

// lost is the error for a connection that ended while doing. A target that has said why before is believed.
func (s *session) lost(doing string, err error) error {
	if s.errorInfo != rdp.ErrorInfoNone {
		return ended(s.errorInfo)
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the connection was closed")
	}
	return streamError(doing, err)
}

// farewell is the error for a connection the target ended in good order, nil when it gave no reason.
func (s *session) farewell() error {
	if s.errorInfo != rdp.ErrorInfoNone {
		return ended(s.errorInfo)
	}
	return nil
}

// handle takes one PDU of an established connection.
func (s *session) handle(frame rdp.Frame) error {
	if frame.FastPath {
		if !s.active {
			return nil // the share is being made anew: what comes late is of the old one
		}
		return s.fragments.Decode(frame.Header, frame.Payload, s.update)
	}
	payload, err := rdp.DecodeX224Data(frame.Payload)
	if err != nil {
		return err
	}
	var p rdp.DomainPDU
	if err := p.Decode(payload); err != nil {
		return err
	}
	switch {
	case p.Kind == rdp.MCSDisconnectProviderUltimatum:
		return rdp.ErrDisconnected
	case p.Kind != rdp.MCSSendDataIndication:
		return protocolError("domain PDU of kind %d from a server", p.Kind)
	case p.Channel == s.ioChannel:
		return s.share(p.Data)
	case p.Channel == s.msgChannel && s.msgChannel != 0:
		return s.message(p.Data)
	}
	return s.channels.data(p.Channel, p.Data)
}

// share handles the share control PDUs of one MCS PDU.
func (s *session) share(b []byte) error {
	for len(b) > 0 {
		p, rest, ok, err := rdp.DecodeShareControl(b)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		b = rest
		switch p.Kind {
		case rdp.ShareDemandActive:
			if err := s.activate(p.Body); err != nil {
				return err
			}
		case rdp.ShareDeactivateAll:
			s.deactivate()
		case rdp.ShareData:
			var d rdp.DataPDU
			if err := d.Decode(p.Body); err != nil {
				return err
			}
			if err := s.data(d); err != nil {
				return err
			}
		case rdp.ShareRedirection:
			return redirection(p.Body, true)
		default:
			return protocolError("share PDU of kind %d from a server", p.Kind)
		}
	}
	return nil
}

// redirection is the error by which a redirection packet ends the connection, nil for one that only informs. In a share
// PDU two bytes of padding come before it ([MS-RDPBCGR] 2.2.13.3.1).
func redirection(b []byte, padded bool) error {
	if padded {
		if len(b) < 2 {
			return protocolError("redirection PDU of %d bytes", len(b))
		}
		b = b[2:]
	}
	var to rdp.Redirection
	if err := to.Decode(b); err != nil {
		return streamError("reading a redirection", err)
	}
	if to.Flags&rdp.RedirectNoRedirect != 0 {
		return nil
	}
	// The packet lies in the reader's buffer, which is gone with the connection.
	to.LoadBalanceInfo = append([]byte(nil), to.LoadBalanceInfo...)
	to.Password = append([]byte(nil), to.Password...)
	return &redirectError{to}
}

// data handles one share data PDU.
func (s *session) data(p rdp.DataPDU) error {
	switch p.Kind {
	case rdp.DataSetErrorInfo:
		info, err := rdp.DecodeErrorInfo(p.Body)
		if err == nil && info != rdp.ErrorInfoNone {
			s.errorInfo = info
			s.log.Info("target says why it ends", "error_info", uint32(info), "meaning", info.String())
		}
		return err
	case rdp.DataSaveSessionInfo:
		return s.saveSessionInfo(p.Body)
	case rdp.DataFontMap:
		s.finalized()
	case rdp.DataAutoReconnectFail:
		s.kept.cookie = nil
		s.log.Info("target does not give the session back")
	case rdp.DataPlaySound:
		if now := time.Now(); now.Sub(s.rang) >= bellInterval {
			s.rang = now
			s.cfg.Observer.Bell()
		}
	case rdp.DataUpdate:
		return s.slowUpdate(p.Body)
	case rdp.DataPointer:
		u, err := rdp.DecodePointer(p.Body)
		if err != nil {
			return err
		}
		return s.update(u)
	}
	// Synchronize, control, keyboard indicators, status and monitor layout ask for nothing.
	return nil
}

func (s *session) saveSessionInfo(b []byte) error {
	var info rdp.SaveSessionInfo
	if err := info.Decode(b); err != nil {
		return err
	}
	if info.Cookie != nil {
		s.kept.cookie = info.Cookie
	}
	if info.HasError {
		s.log.Warn("target tells of a logon that did not go well", "type", info.LogonError, "data", info.LogonErrorData)
	}
	return nil
}

// message handles a PDU of the message channel.
func (s *session) message(b []byte) error {
	flags, body, err := rdp.DecodeSecurityHeader(b)
	if err != nil {
		return err
	}
	switch {
	case flags&rdp.SecHeartbeat != 0:
		var h rdp.Heartbeat
		if err := h.Decode(body); err != nil {
			return err
		}
		if h.Period > 0 {
			s.heartbeat = time.Duration(h.Period) * time.Second * time.Duration(max(h.Reconnect, minHeartbeats))
		}
	case flags&rdp.SecAutodetectReq != 0:
		var q rdp.RTTRequest
		ok, err := q.Decode(body)
		if err != nil || !ok {
			return err
		}
		return s.sendOn(s.msgChannel, func(b []byte) []byte { return rdp.AppendRTTResponse(b, q.Sequence) })
	}
	return nil
}

// sendOn queues what fn appends as data on an MCS channel, without waiting.
func (s *session) sendOn(channel uint16, fn func(b []byte) []byte) error {
	return s.out.Add(func(b []byte) []byte {
		return rdp.AppendChannelData(b, rdp.MCSSendDataRequest, s.user, channel, fn)
	})
}

// sendData queues a share data PDU, without waiting.
func (s *session) sendData(kind rdp.DataKind, fn func(b []byte) []byte) error {
	return s.sendOn(s.ioChannel, func(b []byte) []byte { return rdp.AppendShareData(b, kind, s.user, s.shareID, fn) })
}

// write sends what is queued until the outbox is closed or the target reads no more.
func (s *session) write() {
	s.out.Run(func(b []byte) error {
		err := s.transport.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = s.transport.Write(b)
		}
		if err != nil {
			// Before the outbox closes, so that this is the cause and not what follows from it.
			s.blame(streamError("writing to the target", err))
			_ = s.raw.Close()
		}
		return err
	})
}

// blame makes err the cause of the connection's end, unless it has ended already.
func (s *session) blame(err error) {
	s.causeMu.Lock()
	defer s.causeMu.Unlock()
	if !s.ended {
		s.ended, s.err = true, err
	}
}

// cause returns why the connection ended.
func (s *session) cause() error {
	s.causeMu.Lock()
	defer s.causeMu.Unlock()
	return s.err
}
