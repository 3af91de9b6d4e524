package demotarget

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"slices"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Draw lets fn change the picture and sends the rectangle it returns. A scene draws over it when it changes
// something there itself.
func (s *Server) Draw(fn func(img *image.RGBA) image.Rectangle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed(Change{Rect: fn(s.picture)})
}

// Fill paints a rectangle in one colour.
func (s *Server) Fill(r image.Rectangle, c color.Color) {
	s.Draw(func(img *image.RGBA) image.Rectangle {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
		return r
	})
}

// Copy moves the pixels of a rectangle of r's size at src to r, and tells viewers so by CopyRect. Both must
// lie in the picture.
func (s *Server) Copy(r image.Rectangle, src image.Point) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from := (image.Rectangle{Min: src, Max: src.Add(r.Size())}); !r.In(s.picture.Rect) || !from.In(s.picture.Rect) {
		return fmt.Errorf("demotarget: copy of %v to %v leaves %v", from, r, s.picture.Rect)
	}
	draw.Draw(s.picture, r, s.picture, src, draw.Src)
	s.changed(Change{Rect: r, Moved: true, From: src})
	return nil
}

// Bars paints the whole picture with vertical bars: white, yellow, cyan, green, magenta, red, blue, black.
func (s *Server) Bars() {
	s.Draw(func(img *image.RGBA) image.Rectangle {
		for i, c := range BarColours {
			bar := img.Rect
			bar.Min.X, bar.Max.X = img.Rect.Dx()*i/len(BarColours), img.Rect.Dx()*(i+1)/len(BarColours)
			draw.Draw(img, bar, image.NewUniform(c), image.Point{}, draw.Src)
		}
		return img.Rect
	})
}

// BarColours are those of Bars, left to right.
var BarColours = [8]color.RGBA{
	{0xff, 0xff, 0xff, 0xff},
	{0xff, 0xff, 0, 0xff},
	{0, 0xff, 0xff, 0xff},
	{0, 0xff, 0, 0xff},
	{0xff, 0, 0xff, 0xff},
	{0xff, 0, 0, 0xff},
	{0, 0, 0xff, 0xff},
	{0, 0, 0, 0xff},
}

// Resize gives the desktop another size. Viewers that cannot follow are disconnected.
func (s *Server) Resize(size image.Point) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resize(size, nil)
}

// resize needs mu. by is the connection that asked, or nil.
func (s *Server) resize(size image.Point, by *conn) error {
	if err := desktop.CheckSize(size); err != nil {
		return fmt.Errorf("demotarget: %w", err)
	}
	if size != s.picture.Rect.Size() {
		old := s.picture
		s.picture = newPicture(size)
		draw.Draw(s.picture, old.Rect, old, image.Point{}, draw.Src)
		if s.scene != nil {
			s.scene.Resize(size)
			s.scene.Paint(s.picture, func(Change) {}) // everything is sent anew
		}
	}
	for conn := range s.conns {
		conn.out.resized(size, conn == by)
		conn.wakeUp()
	}
	return nil
}

// Screenshot returns a copy of the picture.
func (s *Server) Screenshot() *image.RGBA {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &image.RGBA{Pix: slices.Clone(s.picture.Pix), Stride: s.picture.Stride, Rect: s.picture.Rect}
}

// SetClipboard puts text on the target's clipboard, as a program there would.
func (s *Server) SetClipboard(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copied(text)
}

// copied needs mu.
func (s *Server) copied(text string) {
	s.clipboard = text
	for conn := range s.conns {
		conn.out.clipboard = true
		conn.wakeUp()
	}
}

// Clipboard returns the text on the target's clipboard.
func (s *Server) Clipboard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clipboard
}

// Rename changes the desktop's name.
func (s *Server) Rename(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.name = name
	for conn := range s.conns {
		conn.out.name = true
		conn.wakeUp()
	}
}

// Bell rings.
func (s *Server) Bell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.out.bell = true
		conn.wakeUp()
	}
}

// Connections returns how many viewers are past the handshake.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Events returns the newest of the events that viewers sent, oldest first, up to MaxEvents.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events.list)
}

// WaitEvent returns the first event, of those kept or to come, that match accepts. Its error is that of ctx.
func (s *Server) WaitEvent(ctx context.Context, match func(Event) bool) (Event, error) {
	seen := 0
	for {
		s.mu.Lock()
		list, total, more := s.events.list, s.events.total, s.events.more
		s.mu.Unlock()
		for _, e := range list[max(0, len(list)-(total-seen)):] {
			if match(e) {
				return e, nil
			}
		}
		seen = total
		select {
		case <-ctx.Done():
			return Event{}, fmt.Errorf("demotarget: no such event among %d: %w", total, context.Cause(ctx))
		case <-more:
		}
	}
}
