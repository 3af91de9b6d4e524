package webrtcserver

import (
	"context"
	"errors"
	"image"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// motion is the latest place of the pointer not yet passed on: a target that is slow skips places, and no
// queue grows.
type motion struct {
	mu      sync.Mutex
	last    uint64 // the highest number seen
	pending *moveMessage
}

// set keeps m unless a later one was seen.
func (p *motion) set(m *moveMessage) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.N <= p.last {
		return false
	}
	p.last, p.pending = m.N, m
	return true
}

// take removes and returns what is pending, or nil.
func (p *motion) take() *moveMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.pending
	p.pending = nil
	return m
}

// receive decodes a message and hands it to the input loop. It runs on pion's goroutine for that channel, and
// may block: then the browser's messages wait in SCTP.
func (v *viewer) receive(ctx context.Context, label string, data []byte) {
	m, err := decodeMessage(label, data)
	if err != nil {
		v.refuse(label, err)
		return
	}
	switch m := m.(type) {
	case *moveMessage:
		if v.motion.set(m) {
			signal(v.moved)
		}
	case *clipMessage:
		select {
		case v.clips <- m:
		case <-ctx.Done():
		}
	case *pingMessage:
		v.pong(m.ID)
	case *refreshMessage:
		v.requestIDR()
	case *seenMessage:
		v.s.acknowledge(v, m.ID)
	case *resizeMessage:
		select { // this goroutine alone writes: after taking the old one there is room
		case <-v.resize:
		default:
		}
		v.resize <- m
	default:
		select {
		case v.input <- m:
		case <-ctx.Done():
		}
	}
}

func (v *viewer) pong(id int64) {
	var f Figures
	if v.s.cfg.Figures != nil {
		f = v.s.cfg.Figures()
	}
	v.s.reply(v, slotPong, encode(pongReply{T: "pong", ID: id, FrameRate: f.FrameRate, Kilobits: f.KilobitRate}))
}

// inputLoop passes on what the browser does until ctx ends.
func (v *viewer) inputLoop(ctx context.Context) {
	var clip assembly
	clipTimer, resizeTimer := time.NewTimer(0), time.NewTimer(0)
	defer clipTimer.Stop()
	defer resizeTimer.Stop()
	mayResize := false
	for {
		// Keys wait for a clipboard text that is under way: Ctrl-V must paste the new text, not the old.
		input := v.input
		if clip.pending() || clip.awaited {
			input = nil
		}
		// A resize waits until the last is resizeInterval old.
		resize := v.resize
		if !mayResize {
			resize = nil
		}
		select {
		case m := <-input:
			if text, ok := m.(*awaitMessage); ok {
				if clip.awaits(text.Clip) {
					clipTimer.Reset(clipTimeout)
				}
				continue
			}
			v.act(m)
		case <-v.moved:
			if len(input) > 0 { // what was done before the motion goes first
				signal(v.moved)
				continue
			}
			v.act(nil)
		case m := <-v.clips:
			v.clipPart(&clip, m)
			clipTimer.Reset(clipTimeout)
		case <-clipTimer.C:
			if clip.pending() {
				v.clipRefused(clip.id, errors.New("the text did not arrive in time"))
				clip.refuse(clip.id)
			}
			clip.awaited = false
		case m := <-resize:
			v.resizeTo(m)
			mayResize = false
			resizeTimer.Reset(resizeInterval)
		case <-resizeTimer.C:
			mayResize = true
		case <-v.away:
			v.s.acting.Lock()
			v.releaseHeld()
			v.s.acting.Unlock()
		case <-v.bwe.changed:
			if v.control.Load() && v.s.cfg.OnEstimate != nil {
				v.s.cfg.OnEstimate(v.bandwidth())
			}
		case <-ctx.Done():
			return
		}
	}
}

// act passes one message of the input channel on, or the pending motion when m is nil. What a viewer without
// control does is dropped without blame: it may have lost control a moment ago.
func (v *viewer) act(m message) {
	v.s.acting.Lock()
	defer v.s.acting.Unlock()
	v.forgetLost()
	if !v.control.Load() {
		v.motion.take()
		return
	}
	h, size := &v.held, v.s.cfg.Screen.Size()
	switch m := m.(type) {
	case nil:
		if p := v.motion.take(); p != nil {
			v.pass(h.move(p, size, time.Now())...)
		}
	case *keyMessage:
		v.pass(h.key(m.Code, m.Key, m.Down)...)
	case *textMessage:
		v.pass(desktop.TextInput{Text: m.Text})
	case *locksMessage:
		v.pass(desktop.LockKeys(*m))
	case *buttonMessage:
		v.motion.take() // older than this, which has a place of its own
		v.pass(h.button(&m.place, size, time.Now())...)
	case *wheelMessage:
		v.motion.take()
		v.pass(h.wheel(m, size)...)
	case *releaseMessage:
		v.pass(h.releaseAll()...)
	case *comboMessage:
		v.pass(combo(m.Codes)...)
	}
}

// pass gives events to the Handler. It needs Server.acting.
func (v *viewer) pass(events ...desktop.Input) {
	for _, e := range events {
		if err := v.s.cfg.Handler.Input(v.info(), e); err != nil {
			v.log.Debug("input not taken", "error", err)
		}
	}
}

// releaseHeld releases whatever the viewer holds down. It needs Server.acting.
func (v *viewer) releaseHeld() {
	v.forgetLost()
	v.pass(v.held.releaseAll()...)
}

// forgetLost forgets what was held when somebody else released it. It needs Server.acting.
func (v *viewer) forgetLost() {
	if v.lost.Swap(false) {
		v.held = held{pointer: desktop.PointerEvent{Pos: v.held.pointer.Pos}}
	}
}

// resizeTo asks for a size, brought within the caps: a very small window is no crime.
func (v *viewer) resizeTo(m *resizeMessage) {
	if !v.control.Load() {
		return
	}
	size := image.Pt(max(desktop.MinSide, min(m.Width, desktop.MaxWidth)), max(desktop.MinSide, min(m.Height, desktop.MaxHeight)))
	err := desktop.CheckSize(size)
	if err == nil {
		err = v.s.cfg.Handler.Resize(v.info(), size)
	}
	if err != nil {
		v.s.tell(v, encode(noticeReply{T: "notice", Level: LevelWarning, Message: err.Error()}))
	}
}

// clipPart takes one part of a clipboard text, and passes the text on when it is whole.
func (v *viewer) clipPart(a *assembly, m *clipMessage) {
	text, done, err := a.add(m)
	switch {
	case err != nil:
		v.clipRefused(m.ID, err)
	case done:
		v.s.acting.Lock()
		if !v.control.Load() {
			err = errors.New("only the viewer in control has the clipboard")
		} else {
			err = v.s.cfg.Handler.Input(v.info(), desktop.ClipboardText{Text: text})
		}
		v.s.acting.Unlock()
		if err != nil {
			v.clipRefused(m.ID, err)
		}
	}
}

// clipRefused tells the person why a text did not reach the target.
func (v *viewer) clipRefused(id int64, why error) {
	v.s.cfg.Handler.Refused(v.info(), channelClipboard, why.Error())
	msg := encode(clipRefusedReply{T: "clip_refused", ID: id, Message: why.Error()})
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.push(channelClipboard, msg)
}
