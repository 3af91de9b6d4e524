package webrtcserver

import (
	"slices"
	"time"
)

// What supervisors do to a session, as its viewers see it. None of these methods waits for a viewer or calls the Handler.

// Freeze is what the session's own person sees instead of the desktop.
type Freeze struct {
	By    string // who froze it; empty: the gateway did
	Since time.Time
	Still []byte // a blurred picture, JPEG; at most maxStillBytes
}

// TakenOver tells who acts instead of the session's own person. The zero value: nobody.
type TakenOver struct {
	Viewer string // id; may be one of another door
	By     string
	Since  time.Time
}

// Message is a text for the session's own person.
type Message struct {
	ID, From, Text string
	At             time.Time
}

// Watcher is somebody who watches.
type Watcher struct {
	Name  string
	Since time.Time
}

// Question is what somebody is asked, who may answer at the viewer of that id by other ways than this package.
type Question struct {
	ID       string
	PersonID string
	Person   string // name
	Viewer   string // id; may be one of another door, or none
	Rules    []AskedRule
	Source   string // of what is asked about: typed, clipboard, …
	Excerpt  string // of it; shown to that person only
	Held     bool   // it waits for the answer
	Since    time.Time
	Deadline time.Time // zero: none
}

// AskedRule is why it is asked.
type AskedRule struct {
	Name  string `json:"name"`
	About string `json:"about,omitempty"`
}

// SetFreeze stops the pictures, the pointer's shape and the desktop's name for the viewers of the session's own person, now and to come,
// and shows f instead; all others hear of it and go on. nil lets everything go on. SetState tells why.
func (s *Server) SetFreeze(f *Freeze) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f != nil && len(f.Still) > maxStillBytes {
		bare := *f
		bare.Still = nil
		f = &bare
	}
	s.freeze = f
	for _, v := range s.viewers {
		if v.owns() {
			s.cfg.Video.HoldViewer(v.sink, f != nil)
			v.lost.Store(true)
		}
		v.push(channelControl, s.freezeFor(v))
		if f == nil && v.owns() {
			v.push(channelControl, encode(nameReply{T: "name", Name: s.name}))
			v.put(channelControl, slotCursor, s.cursor)
		}
	}
}

// freezeFor words the freeze for a viewer. It needs mu.
func (s *Server) freezeFor(v *viewer) []byte {
	r := freezeReply{T: "freeze"}
	if f := s.freeze; f != nil {
		r.On, r.By, r.For, r.Live = true, f.By, ago(f.Since), !v.owns()
		if v.owns() {
			r.Still = f.Still
		}
	}
	return encode(r)
}

// hidden tells whether a viewer is shown nothing of the desktop. It needs mu.
func (s *Server) hidden(v *viewer) bool { return s.freeze != nil && v.owns() }

func (s *Server) hides(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hidden(v)
}

// SetQuestion shows everybody what is asked; nil: nothing is.
func (s *Server) SetQuestion(q *Question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.question = q
	for _, v := range s.viewers {
		v.push(channelControl, s.questionFor(v))
	}
}

// questionFor words the question for a viewer. It needs mu.
func (s *Server) questionFor(v *viewer) []byte {
	r := questionReply{T: "question"}
	if q := s.question; q != nil {
		r.ID, r.By, r.Mine, r.Rules, r.Source, r.Held, r.For = q.ID, q.Person, q.Viewer == v.id, q.Rules, q.Source, q.Held, ago(q.Since)
		if v.person.ID == q.PersonID {
			r.Excerpt = q.Excerpt
		}
		if !q.Deadline.IsZero() {
			r.In = max(1, time.Until(q.Deadline).Milliseconds())
		}
	}
	return encode(r)
}

// SetTakenOver lets the acts of another viewer through, and shows everybody whose they are. Whoever calls it has released what was held.
func (s *Server) SetTakenOver(o TakenOver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = o
	message := ""
	if o.By != "" {
		message = o.By + " has taken over."
	}
	s.assign(message)
	for _, v := range s.viewers {
		v.push(channelControl, s.controlFor(v))
	}
}

// controlFor words for a viewer who has taken over. It needs mu.
func (s *Server) controlFor(v *viewer) []byte {
	r := controlReply{T: "control"}
	if s.over.Viewer != "" {
		r.By, r.For, r.Mine = s.over.By, ago(s.over.Since), v.id == s.over.Viewer
	}
	return encode(r)
}

// acts is the viewer whose acts count, nil when it is none of ours. It needs mu.
func (s *Server) acts() *viewer {
	if s.over.Viewer == "" {
		return s.control
	}
	return s.viewers[s.over.Viewer]
}

// assign gives every viewer the role it has now, and tells those whose role that changes; message is for who loses control. It needs mu.
func (s *Server) assign(message string) {
	holder := s.acts()
	for _, v := range s.viewers {
		may := v == holder
		if v.control.Swap(may) == may {
			continue
		}
		v.lost.Store(true)
		if !v.joined {
			continue
		}
		reply := roleReply{T: "role", Role: v.mayAct()}
		if may {
			signal(v.bwe.changed) // the pictures are made for its link from now on
		} else {
			reply.Message = message
		}
		v.push(channelControl, encode(reply))
	}
}

// ShowMessage shows a text to the session's own person, and to them as they come, until one of their viewers says that it was read.
func (s *Server) ShowMessage(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.texts) == maxTexts {
		s.texts = s.texts[1:]
	}
	s.texts = append(s.texts, m)
	for _, v := range s.viewers {
		if v.owns() {
			v.push(channelControl, m.reply())
		}
	}
}

func (m Message) reply() []byte {
	return encode(messageReply{T: "message", ID: m.ID, From: m.From, Text: m.Text, For: ago(m.At)})
}

// acknowledge takes a message off the person's screens.
func (s *Server) acknowledge(v *viewer, id string) {
	s.mu.Lock()
	i := slices.IndexFunc(s.texts, func(m Message) bool { return m.ID == id })
	known := i >= 0 && v.owns()
	if known {
		s.texts = slices.Delete(s.texts, i, i+1)
		for _, other := range s.viewers {
			if other.owns() {
				other.push(channelControl, encode(readReply{T: "read", ID: id}))
			}
		}
	}
	s.mu.Unlock()
	if known {
		s.cfg.Handler.Acknowledged(v.info(), id)
	}
}

// SetWatchers shows the session's own person who watches.
func (s *Server) SetWatchers(list []Watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = slices.Clone(list)
	for _, v := range s.viewers {
		if v.owns() {
			v.push(channelControl, s.watchers())
		}
	}
}

// watchers needs mu.
func (s *Server) watchers() []byte {
	r := watchersReply{T: "watchers", Watchers: []watcherReply{}}
	for _, w := range s.watched {
		r.Watchers = append(r.Watchers, watcherReply{w.Name, ago(w.Since)})
	}
	return encode(r)
}

// greetSupervised tells a viewer that comes what there is to know. It needs mu.
func (s *Server) greetSupervised(v *viewer, o *outbox) {
	if s.freeze != nil {
		o.push(s.freezeFor(v))
	}
	if s.over.Viewer != "" {
		o.push(s.controlFor(v))
	}
	if s.question != nil {
		o.push(s.questionFor(v))
	}
	if !v.owns() {
		return
	}
	if len(s.watched) > 0 {
		o.push(s.watchers())
	}
	for _, m := range s.texts {
		o.push(m.reply())
	}
}

// ago is how long ago a time was, in ms.
func ago(t time.Time) int64 { return max(0, time.Since(t).Milliseconds()) }
