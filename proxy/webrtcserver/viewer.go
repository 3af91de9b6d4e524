package webrtcserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"
)

// viewer is one browser. viewer.run is its life; see the package comment for who calls what.
type viewer struct {
	s       *Server
	id      string
	person  Person
	address string
	wants   Role // what the offer asked for
	tells   bool // the session's person is told that this one watches
	offer   string
	log     *slog.Logger
	bwe     *estimator
	track   *track
	sink    *sink
	losses  lossClock

	answer chan answer             // capacity 1: what Offer waits for
	end    context.CancelCauseFunc // set by run before the viewer is registered
	up     chan struct{}           // closed when the browser has connected
	upOnce sync.Once
	served chan struct{}       // closed when the viewer has joined
	opened chan opened         // capacity channels: data channels that opened
	input  chan message        // capacity inputQueue
	clips  chan *clipMessage   // capacity 1
	moved  chan struct{}       // capacity 1: motion holds something
	resize chan *resizeMessage // capacity 1, the latest
	sent   chan struct{}       // capacity 1: a picture went out
	away   chan struct{}       // capacity 1: the browser is out of sight

	idrs       *rate.Limiter // what it may ask for
	violations atomic.Int64
	claims     atomic.Bool // has RoleControl unless somebody has taken over; written with Server.acting held
	control    atomic.Bool // may act; written with Server.mu held
	lost       atomic.Bool // what held says was released by others

	motion motion
	held   held // guarded by Server.acting

	// Guarded by Server.mu.
	joined     bool
	outboxes   map[string]*outbox
	pc         *webrtc.PeerConnection
	candidates int
}

// answer is the outcome of an offer.
type answer struct {
	sdp string
	err error
}

// opened is a data channel that may be written to.
type opened struct {
	label   string
	channel *webrtc.DataChannel
	greeted chan<- struct{} // closed when there is an outbox for it
}

func newViewer(s *Server, o Offer) *viewer {
	bwe := newEstimator(s.cfg.Rates.Initial)
	v := &viewer{
		s:        s,
		id:       o.ViewerID,
		person:   o.Person,
		address:  o.ClientAddress,
		wants:    o.Role,
		tells:    o.Announced,
		offer:    o.SDP,
		log:      s.log.With("viewer", o.ViewerID),
		bwe:      bwe,
		track:    newTrack(bwe.rate),
		answer:   make(chan answer, 1),
		up:       make(chan struct{}),
		served:   make(chan struct{}),
		opened:   make(chan opened, len(messages)),
		input:    make(chan message, inputQueue),
		clips:    make(chan *clipMessage, 1),
		moved:    make(chan struct{}, 1),
		resize:   make(chan *resizeMessage, 1),
		sent:     make(chan struct{}, 1),
		away:     make(chan struct{}, 1),
		idrs:     rate.NewLimiter(rate.Every(idrInterval), idrBurst),
		outboxes: make(map[string]*outbox),
	}
	v.sink = &sink{v: v, sent: v.sent}
	return v
}

// info describes the viewer, with the role it has unless somebody has taken over.
func (v *viewer) info() Viewer {
	role := RoleView
	if v.claims.Load() {
		role = RoleControl
	}
	return Viewer{ID: v.id, Person: v.person, Role: role, Address: v.address, Announced: v.tells}
}

// mayAct is the role it has in fact.
func (v *viewer) mayAct() Role {
	if v.control.Load() {
		return RoleControl
	}
	return RoleView
}

// owns tells whether the session is this viewer's person's.
func (v *viewer) owns() bool { return v.s.cfg.Owner != "" && v.person.ID == v.s.cfg.Owner }

// run is the viewer's life, from its offer to the end of its connection.
func (v *viewer) run(ctx context.Context, e *engine) {
	ctx, v.end = context.WithCancelCause(ctx)
	defer v.end(nil)
	if err := v.s.add(v); err != nil {
		v.answer <- answer{err: err}
		return
	}
	defer v.s.remove(v)
	pc, err := e.newPeer(v.bwe)
	if err != nil {
		v.answer <- answer{err: err}
		return
	}
	var rtcp sync.WaitGroup
	defer rtcp.Wait() // it ends when pc is closed
	defer v.close(pc)

	sdp, sender, err := v.negotiate(ctx, pc)
	v.answer <- answer{sdp, err}
	if err != nil {
		return
	}
	rtcp.Go(func() { v.readRTCP(sender) })
	select {
	case <-v.up:
		v.serve(ctx)
	case <-time.After(connectTimeout):
		v.log.Info("viewer did not come", "person", v.person.Name, "reason", errNeverCame.Error())
	case <-ctx.Done():
	}
}

// negotiate answers the offer.
func (v *viewer) negotiate(ctx context.Context, pc *webrtc.PeerConnection) (string, *webrtc.RTPSender, error) {
	v.listen(ctx, pc)
	transceiver, err := pc.AddTransceiverFromTrack(v.track,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return "", nil, fmt.Errorf("webrtc: add video: %w", err)
	}
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: v.offer}
	if err := pc.SetRemoteDescription(offer); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	reply, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(reply); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	select {
	case <-gathered: // at once: there is nothing to ask the network
	case <-ctx.Done():
		return "", nil, ErrClosed
	}
	v.s.mu.Lock()
	v.pc = pc
	v.s.mu.Unlock()
	return pc.LocalDescription().SDP, transceiver.Sender(), nil
}

// listen connects the callbacks of pion, which run on its goroutines, to the viewer's.
func (v *viewer) listen(ctx context.Context, pc *webrtc.PeerConnection) {
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			v.upOnce.Do(func() { close(v.up) })
		case webrtc.PeerConnectionStateDisconnected:
			signal(v.away)
		case webrtc.PeerConnectionStateFailed:
			v.end(errConnection)
		case webrtc.PeerConnectionStateClosed:
			v.end(errLeft)
		}
	})
	seen := make(map[string]bool) // pion calls OnDataChannel's handler from one goroutine
	pc.OnDataChannel(func(channel *webrtc.DataChannel) {
		label := channel.Label()
		if messages[label] == nil || seen[label] {
			if wait(ctx, v.served) {
				v.refuse("channel", errors.New("unknown or second data channel"))
			}
			return
		}
		seen[label] = true
		greeted := make(chan struct{})
		channel.OnOpen(func() {
			select {
			case v.opened <- opened{label, channel, greeted}:
			case <-ctx.Done():
			}
		})
		// What the browser says before we can answer waits in SCTP.
		channel.OnMessage(func(m webrtc.DataChannelMessage) {
			if wait(ctx, greeted) {
				v.receive(ctx, label, m.Data)
			}
		})
	})
}

// wait blocks until ch is closed; it reports false when ctx ended first.
func wait(ctx context.Context, ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	}
}

// serve shows the session and takes input until ctx ends.
func (v *viewer) serve(ctx context.Context) {
	v.s.join(v)
	close(v.served)
	var wg sync.WaitGroup
	wg.Go(func() { v.video(ctx) })
	wg.Go(func() { v.probe(ctx) })
	wg.Go(func() { v.inputLoop(ctx) })
	for ctx.Err() == nil {
		select {
		case c := <-v.opened:
			if c.label == channelPatches {
				close(c.greeted)
				wg.Go(func() { v.patches(ctx, c.channel) })
				continue
			}
			o := newOutbox(c.channel)
			v.s.greet(v, c.label, o)
			close(c.greeted)
			wg.Go(func() {
				if o.run(ctx) && c.label == channelControl {
					v.end(errEnded)
				}
			})
		case <-ctx.Done():
		}
	}
	wg.Wait()
	v.s.leave(v, context.Cause(ctx))
}

// close ends the connection and waits until pion's goroutines are gone.
func (v *viewer) close(pc *webrtc.PeerConnection) {
	v.end(nil) // callbacks that wait for us must not keep pion waiting
	if err := pc.GracefulClose(); err != nil {
		v.log.Debug("connection closed badly", "error", err)
	}
}

func (v *viewer) addCandidates(candidates []webrtc.ICECandidateInit) error {
	v.s.mu.Lock()
	v.candidates += len(candidates)
	n, pc := v.candidates, v.pc
	v.s.mu.Unlock()
	if n > maxRemoteCandidates {
		return fmt.Errorf("%w: %d candidates exceed %d", ErrFragment, n, maxRemoteCandidates)
	}
	if pc == nil {
		return fmt.Errorf("%w %q", ErrUnknownViewer, v.id)
	}
	for _, c := range candidates {
		if err := pc.AddICECandidate(c); err != nil {
			return fmt.Errorf("%w: %w", ErrFragment, err)
		}
	}
	return nil
}

// push queues a message that must arrive, if the browser opened that channel. It needs Server.mu.
func (v *viewer) push(label string, msg []byte) {
	if o := v.outboxes[label]; o != nil && !o.push(msg) {
		v.end(errNotReading)
	}
}

// put replaces a slot, if the browser opened that channel. It needs Server.mu.
func (v *viewer) put(label string, s slot, msgs ...[]byte) {
	if o := v.outboxes[label]; o != nil {
		o.put(s, msgs...)
	}
}

// finish ends the viewer once it has heard what was pushed. It needs Server.mu.
func (v *viewer) finish(reason error) {
	if o := v.outboxes[channelControl]; o != nil {
		o.finish()
		return
	}
	v.end(reason)
}

// refuse counts a message no honest browser sends; too many end the viewer.
func (v *viewer) refuse(what string, why error) {
	n := v.violations.Add(1)
	v.log.Debug("message refused", "channel", what, "error", why, "count", n)
	v.s.cfg.Handler.Refused(v.info(), what, why.Error())
	if n > maxViolations {
		v.end(errMisbehaved)
	}
}
