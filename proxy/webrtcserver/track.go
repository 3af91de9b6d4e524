package webrtcserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/vitrine-psm/vitrine/codec/h264"
)

// track is the video of one viewer: it turns access units into RTP packets.
//
// A receiver learns of a lost packet by the gap before a later one. When the picture then stands still there
// is no later one, and the loss of a picture's end would stay unseen for minutes. So the track is probed
// after a picture: see probe.
type track struct {
	rate func() int // estimated bandwidth, bits a second

	mu         sync.Mutex
	writer     webrtc.TrackLocalWriter // nil until bound
	header     rtp.Header              // SSRC, payload type, next sequence number, last timestamp
	playout    uint8                   // id of the playout delay extension, 0 when not negotiated
	offset     uint32                  // RTP timestamp of the session's time 0
	packetizer packetizer
	pacer      pacer

	sentMu sync.Mutex // taken after mu; held for no I/O
	sent   sentState
}

// sentState is what was sent last.
type sentState struct {
	ssrc       uint32
	sending    bool      // a picture is being sent
	sendingIDR bool      // it is an IDR picture
	began      time.Time // when the last picture began to be sent
	done       time.Time // when it was sent
	last       uint16    // sequence number of its last packet
	idr        time.Time // when the last IDR picture was sent
	late       lateness
}

var _ webrtc.TrackLocal = (*track)(nil)

func newTrack(rate func() int) *track {
	return &track{
		rate:   rate,
		header: rtp.Header{Version: 2, SequenceNumber: uint16(rand.Uint32())},
		offset: rand.Uint32(),
	}
}

// Bind implements webrtc.TrackLocal: negotiation is done.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var best webrtc.RTPCodecParameters
	rank := len(profiles)
	for _, codec := range c.CodecParameters() {
		if r := preference(codec.SDPFmtpLine); codec.MimeType == webrtc.MimeTypeH264 && r < rank {
			best, rank = codec, r
		}
	}
	if rank == len(profiles) {
		return best, webrtc.ErrUnsupportedCodec
	}
	t.writer = c.WriteStream()
	t.header.SSRC = uint32(c.SSRC())
	t.setSent(func(s *sentState) { s.ssrc = uint32(c.SSRC()) })
	t.header.PayloadType = uint8(best.PayloadType)
	for _, extension := range c.HeaderExtensions() {
		if extension.URI == playoutDelayURI {
			t.playout = uint8(extension.ID)
		}
	}
	return best, nil
}

// Unbind implements webrtc.TrackLocal.
func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writer = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (*track) ID() string { return "screen" }

// RID implements webrtc.TrackLocal.
func (*track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (*track) StreamID() string { return "desktop" }

// Kind implements webrtc.TrackLocal.
func (*track) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

// errUnbound is returned for pictures after the connection's end.
var errUnbound = errors.New("webrtc: the video track is closed")

// write sends one access unit, spread over time if it is very large.
func (t *track) write(ctx context.Context, au *h264.AccessUnit) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setSent(func(s *sentState) {
		s.sending, s.sendingIDR, s.began = true, au.IDR, time.Now()
		s.late.observe(s.began, au.PTS)
	})
	defer t.setSent(func(s *sentState) {
		if s.done = time.Now(); s.sendingIDR {
			s.idr = s.done
		}
		s.sending, s.sendingIDR, s.last = false, false, t.header.SequenceNumber-1
	})
	t.header.Timestamp = t.timestamp(au.PTS)
	for payload, last := range t.packetizer.payloads(au.Data) {
		if err := t.pacer.wait(ctx, len(payload)+packetOverhead, float64(t.rate())); err != nil {
			return err
		}
		if err := t.send(payload, last, 0); err != nil {
			return err
		}
	}
	return nil
}

// timestamp is the RTP timestamp of a time of the session.
func (t *track) timestamp(pts time.Duration) uint32 {
	return t.offset + uint32(pts*clockRate/time.Second)
}

func (t *track) setSent(f func(*sentState)) {
	t.sentMu.Lock()
	defer t.sentMu.Unlock()
	f(&t.sent)
}

// state returns what was sent last. It does not wait for a picture that is being sent.
func (t *track) state() sentState {
	t.sentMu.Lock()
	defer t.sentMu.Unlock()
	return t.sent
}

// probe sends a packet of padding, numbered like any other: if the end of the last picture was lost, the
// receiver sees the gap now and asks for it.
func (t *track) probe() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.send(nil, false, 1)
}

// quiet is how long ago the last picture was sent.
func (t *track) quiet() time.Duration {
	s := t.state()
	if s.sending {
		return 0
	}
	return time.Since(s.done)
}

// send needs mu.
func (t *track) send(payload []byte, marker bool, padding uint8) error {
	if t.writer == nil {
		return errUnbound
	}
	h := t.header
	h.Marker = marker
	h.Padding, h.PaddingSize = padding > 0, padding
	if t.playout != 0 {
		// Zero to zero: show each picture when it is whole.
		if err := h.SetExtension(t.playout, []byte{0, 0, 0}); err != nil {
			return fmt.Errorf("webrtc: playout delay extension: %w", err)
		}
	}
	t.header.SequenceNumber++
	if _, err := t.writer.WriteRTP(&h, payload); err != nil {
		return fmt.Errorf("webrtc: send: %w", err)
	}
	return nil
}
