package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vitrine-psm/vitrine/internal/session"
	"github.com/vitrine-psm/vitrine/proxy/rdpserver"
	"github.com/vitrine-psm/vitrine/proxy/webrtcserver"
)

// doors are the ways into a session as it sees them: one door.
type doors struct {
	browser browserDoor
	native  *rdpserver.Server
}

var _ session.Door = doors{}

// Run implements session.Door. The session ends with the browsers' door; without the native one it goes on.
func (d doors) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = d.native.Run(ctx) })
	return d.browser.Run(ctx)
}

// SetState implements session.Door.
func (d doors) SetState(state session.State, end session.End) {
	d.browser.SetState(state, end)
	shown := rdpserver.SessionActive
	switch state {
	case session.StateFrozen:
		shown = rdpserver.SessionFrozen
	case session.StateEnded:
		shown = rdpserver.SessionEnded
	case session.StateConnecting, session.StateActive:
	}
	d.native.SetState(shown, endReason(end.Code), end.Message)
}

// SetEnding implements session.Door.
func (d doors) SetEnding(e session.Ending) {
	d.browser.SetEnding(e)
	d.native.SetEnding(rdpserver.Ending{Message: e.Message, Deadline: e.Deadline})
}

// SetFreeze implements session.Door.
func (d doors) SetFreeze(f *session.Freeze) {
	d.browser.SetFreeze(f)
	if f == nil {
		d.native.SetFreeze(nil)
		return
	}
	text := f.End.Message
	if f.By.Name != "" {
		text = f.By.Name + ": " + text
	}
	d.native.SetFreeze(&rdpserver.Freeze{Text: text, Still: f.Still})
}

// SetQuestion implements session.Door.
func (d doors) SetQuestion(q *session.Question) {
	d.browser.SetQuestion(q)
	if q == nil {
		d.native.SetQuestion(nil)
		return
	}
	asked := &rdpserver.Question{ID: q.ID, Viewer: q.Viewer, Text: "Why do you do this?", Held: q.Held, Until: q.Deadline}
	for _, r := range q.Rules {
		asked.Text += "\n" + r.Name
		if r.About != "" {
			asked.Text += ": " + r.About
		}
	}
	if q.Excerpt != "" {
		asked.Text += "\n" + q.Excerpt
	}
	d.native.SetQuestion(asked)
}

// SetControl implements session.Door.
func (d doors) SetControl(c session.Control) {
	d.browser.SetControl(c)
	d.native.SetTakenOver(rdpserver.TakenOver{Viewer: c.Viewer, By: c.Person.Name})
}

// ShowMessage implements session.Door.
func (d doors) ShowMessage(m session.Message) {
	d.browser.ShowMessage(m)
	d.native.ShowMessage(rdpserver.Message{ID: m.ID, From: m.From.Name, Text: m.Text})
}

// SetWatchers implements session.Door.
func (d doors) SetWatchers(list []session.Watcher) {
	d.browser.SetWatchers(list)
	names := make([]string, len(list))
	for i, w := range list {
		names[i] = w.Person.Name
	}
	d.native.SetWatchers(names)
}

// SetName implements session.Door. Native clients have the name they connected to in their title.
func (d doors) SetName(name string) { d.browser.SetName(name) }

// Bell implements session.Door.
func (d doors) Bell() {
	d.browser.Bell()
	d.native.Bell()
}

// SendClipboard implements session.Door.
func (d doors) SendClipboard(text string) error {
	if err := d.native.SendClipboard(text); !errors.Is(err, rdpserver.ErrUnknownViewer) {
		return err
	}
	return d.browser.SendClipboard(text)
}

// offer lets a browser in. Control is one viewer's, whichever door it came by.
func (d doors) offer(ctx context.Context, o webrtcserver.Offer) (webrtcserver.Answer, error) {
	if holder, ok := d.native.Controller(); ok && o.Role == webrtcserver.RoleControl {
		if holder.Person.ID != o.Person.ID {
			return webrtcserver.Answer{}, fmt.Errorf("%w: %s", webrtcserver.ErrControlTaken, holder.Person.Name)
		}
	}
	return d.browser.Offer(ctx, o)
}

// closeViewer ends a viewer, whichever door it came by.
func (d doors) closeViewer(id, reason string) error {
	if err := d.native.CloseViewer(id, reason); !errors.Is(err, rdpserver.ErrUnknownViewer) {
		return err
	}
	return d.browser.CloseViewer(id, reason)
}

// admit lets a native client in.
func (d doors) admit(ctx context.Context, a rdpserver.Arrival) error {
	if a.Viewer.Role == rdpserver.RoleControl {
		for _, v := range d.browser.Viewers() {
			if v.Role == webrtcserver.RoleControl && v.Person.ID != a.Viewer.Person.ID {
				return errors.Join(fmt.Errorf("%w: %s", rdpserver.ErrControlTaken, v.Person.Name), d.native.Turn(ctx, a, rdpserver.ErrControlTaken))
			}
		}
	}
	return d.native.Admit(ctx, a)
}
