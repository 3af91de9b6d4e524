package screen

import (
	"context"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// How often what moves is drawn.
const (
	caretBlink = 530 * time.Millisecond
	busyTick   = 80 * time.Millisecond
)

// Screen is the window of one client. Its methods may be called from any goroutine; Run must run.
type Screen struct {
	fb   *desktop.Framebuffer
	acts chan Act      // capacity maxActs
	wake chan struct{} // capacity 1: something is to be drawn
	stir chan struct{} // capacity 1: the person did something

	mu      sync.Mutex
	form    Form
	fields  []field
	choice  int // index into form.Choices
	first   int // of the choices in view
	focus   int // into what there is to focus: fields or the list, the button, the links
	hover   int // -1: nothing
	pressed bool
	clicked int // the choice clicked last; -1: none
	shift   bool
	control bool
	mark    rune // a dead key was pressed: what it puts over the next character; 0: none
	caretOn bool
	tick    int
	hits    []hit // where what can be clicked is, as last drawn
	inView  int   // choices in view, as last drawn
	scale   float64
	faces   map[faceKey]*face
	canvas  *image.RGBA // as last drawn
}

type field struct {
	Field
	text  []rune
	caret int // before this rune
}

// hit is a place that can be clicked.
type hit struct {
	at     image.Rectangle
	focus  int
	choice int // of a line of the list, else -1
}

// New returns a Screen of a size, in pixels, on which things are shown percent as large as on an ordinary one; 0 is 100.
func New(size image.Point, percent int) (*Screen, error) {
	fb, err := desktop.NewFramebuffer(size)
	if err != nil {
		return nil, err
	}
	scale := min(max(float64(percent)/100, 1), 3)
	// It has to fit, and on a large screen of unknown density letters may be larger.
	scale = max(1, min(scale, float64(size.X)/480, float64(size.Y)/560))
	s := &Screen{
		fb: fb, acts: make(chan Act, maxActs), wake: make(chan struct{}, 1), stir: make(chan struct{}, 1), scale: scale, hover: -1, clicked: -1, caretOn: true, faces: map[faceKey]*face{},
	}
	if _, err := typefaces(); err != nil {
		return nil, err
	}
	if err := fb.SetCursor(arrow(), image.Point{}, false); err != nil {
		return nil, err
	}
	return s, nil
}

// Framebuffer is what is drawn into.
func (s *Screen) Framebuffer() *desktop.Framebuffer { return s.fb }

// Run draws until ctx ends.
func (s *Screen) Run(ctx context.Context) error {
	blink := time.NewTicker(caretBlink)
	defer blink.Stop()
	busy := time.NewTicker(busyTick)
	defer busy.Stop()
	for {
		if err := s.draw(); err != nil {
			return err
		}
		var ticks <-chan time.Time
		s.mu.Lock()
		if s.form.Busy {
			ticks = busy.C
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-blink.C:
			s.change(func() { s.caretOn = !s.caretOn })
		case <-ticks:
			s.change(func() { s.tick++ })
		}
	}
}

// change does something to what is shown, and has it drawn.
func (s *Screen) change(do func()) {
	s.mu.Lock()
	do()
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Show shows f. What was typed into fields of the same names stays, but for secrets, and what is good once, when there is an error.
func (s *Screen) Show(f Form) {
	s.change(func() {
		old := s.fields
		same := s.form.Title == f.Title && len(old) == len(f.Fields)
		s.fields = nil
		for _, d := range f.Fields {
			n := field{Field: d, text: []rune(clean(d.Value))}
			for _, o := range old {
				if o.Name == d.Name && (!d.Secret && !d.Once || f.Error == "") && d.Value == "" {
					n.text = o.text
				}
			}
			n.text = n.text[:min(len(n.text), n.most())]
			n.caret = len(n.text)
			s.fields = append(s.fields, n)
		}
		if !slices.EqualFunc(s.form.Choices, f.Choices, func(a, b Choice) bool { return a.ID == b.ID }) {
			s.choice, s.first = 0, 0
		}
		s.form, s.hover, s.pressed, s.caretOn = f, -1, false, true
		if !same {
			for len(s.acts) > 0 { // what was done to another form
				<-s.acts
			}
		}
		if !same || f.Error != "" {
			s.focus = 0
			for i := range s.fields { // the first one that is empty
				if len(s.fields[i].text) == 0 {
					s.focus = i
					break
				}
			}
		}
		s.focus = min(s.focus, max(0, s.focusable()-1))
	})
}

// Next waits for what the person does.
func (s *Screen) Next(ctx context.Context) (Act, error) {
	select {
	case a := <-s.acts:
		return a, nil
	case <-ctx.Done():
		return Act{}, context.Cause(ctx)
	}
}

// Acts is what Next takes from, for whoever waits for other things as well.
func (s *Screen) Acts() <-chan Act { return s.acts }

// Forget wipes what was typed.
func (s *Screen) Forget() {
	s.change(func() {
		for i := range s.fields {
			clear(s.fields[i].text[:cap(s.fields[i].text)])
			s.fields[i].text, s.fields[i].caret = nil, 0
		}
	})
}

// body tells how many fields there are, or that there is a list in their place.
func (s *Screen) body() int {
	if len(s.form.Choices) > 0 {
		return 1
	}
	return len(s.fields)
}

// focusable counts what can be focused.
func (s *Screen) focusable() int {
	n := s.body() + len(s.form.Links)
	if s.form.Submit != "" {
		n++
	}
	return n
}

// button is the focus of the main button, -1 without one.
func (s *Screen) button() int {
	if s.form.Submit == "" {
		return -1
	}
	return s.body()
}

// link is the focus of the first link.
func (s *Screen) link() int {
	if s.form.Submit == "" {
		return s.body()
	}
	return s.body() + 1
}

// Keysyms of keys that are no letters ([RFC 6143] 7.5.4).
const (
	keyBackspace = 0xff08
	keyTab       = 0xff09
	keyEnter     = 0xff0d
	keyEscape    = 0xff1b
	keyHome      = 0xff50
	keyLeft      = 0xff51
	keyUp        = 0xff52
	keyRight     = 0xff53
	keyDown      = 0xff54
	keyPageUp    = 0xff55
	keyPageDown  = 0xff56
	keyEnd       = 0xff57
	keyBackTab   = 0xfe20
	keyKPEnter   = 0xff8d
	keyDelete    = 0xffff
	keyShiftL    = 0xffe1
	keyShiftR    = 0xffe2
	keyControlL  = 0xffe3
	keyControlR  = 0xffe4
)

// Stirred tells, after the fact, that the person did something: whoever is there is not idle.
func (s *Screen) Stirred() <-chan struct{} { return s.stir }

// Input takes what the person does.
func (s *Screen) Input(in desktop.Input) error {
	if _, locks := in.(desktop.LockKeys); !locks {
		select {
		case s.stir <- struct{}{}:
		default:
		}
	}
	switch in := in.(type) {
	case desktop.KeyEvent:
		if in.Down {
			s.change(func() { s.key(in) })
		}
		s.modifier(in)
	case desktop.TextInput:
		s.change(func() { s.insert(in.Text) })
	case desktop.ClipboardText:
	case desktop.PointerEvent:
		s.change(func() { s.pointer(in) })
	case desktop.WheelEvent:
		s.change(func() { s.scroll(in.DY) })
	case desktop.LockKeys:
	}
	return nil
}

// Resize gives the window another size.
func (s *Screen) Resize(size image.Point) error {
	var err error
	s.change(func() { // not while it is drawn
		if err = s.fb.Resize(size); err == nil {
			s.canvas = nil
		}
	})
	return err
}

// Refused takes note of nothing: a sign-in screen has nothing to give away.
func (s *Screen) Refused(string, string) {}
