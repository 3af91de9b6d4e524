package demotarget

import (
	"errors"
	"image"
	"image/draw"

	"github.com/vitrine-psm/vitrine/proxy/desktop"
)

// Encodings and pseudo-encodings (RFC 6143 7.7 and 7.8, rfbproto).
const (
	encRaw               = 0
	encCopyRect          = 1
	encZRLE              = 16
	encDesktopSize       = -223
	encLastRect          = -224
	encCursor            = -239
	encDesktopName       = -307
	encExtendedSize      = -308
	encExtendedClipboard = -0x3f5e1a32 // 0xC0A1E5CE
)

// Reasons and status of an ExtendedDesktopSize rectangle.
const (
	sizeByServer   = 0
	sizeByViewer   = 1
	sizeByOther    = 2
	sizeOK         = 0
	sizeProhibited = 3 // invalid screen layout
)

// errCannotFollow ends viewers that know no way to hear of a new size.
var errCannotFollow = errors.New("demotarget: desktop was resized and the viewer knows neither DesktopSize nor ExtendedDesktopSize")

// outbox is what one viewer knows and what it must still be told. The server's mu guards it.
type outbox struct {
	format   pixelFormat
	supports map[int32]bool
	size     image.Point // as the viewer knows it

	requested bool            // an update was asked for and not sent
	full      bool            // it was not an incremental one
	damage    *desktop.Damage // since the last update
	moved     Change          // Moved is set: to be sent before the damage
	announce  []sizeRect      // new sizes, oldest first

	cursor, name, bell, clipboard, caps bool // to be sent
}

// sizeRect is the news of an ExtendedDesktopSize or DesktopSize rectangle.
type sizeRect struct {
	size           image.Point
	reason, status int
}

func newOutbox(size image.Point) outbox {
	d := desktop.NewDamage(size)
	d.AddAll()
	return outbox{format: nativeFormat, supports: map[int32]bool{}, size: size, damage: d}
}

func (o *outbox) setEncodings(list []int32) {
	first := !o.supports[encExtendedClipboard]
	clear(o.supports)
	for _, e := range list {
		o.supports[e] = true
	}
	o.cursor = true
	o.caps = o.caps || first && o.supports[encExtendedClipboard]
	if o.supports[encExtendedSize] && len(o.announce) == 0 {
		o.announce = append(o.announce, sizeRect{o.size, sizeByServer, sizeOK}) // which says that we support it
	}
}

func (o *outbox) request(m updateRequest) {
	o.requested = true
	if !m.incremental {
		o.full = true
		o.damage.Add(m.rect)
		if o.supports[encExtendedSize] && len(o.announce) == 0 {
			o.announce = append(o.announce, sizeRect{o.size, sizeByServer, sizeOK})
		}
	}
}

// resized notes a new size. asked tells that this viewer wanted it.
func (o *outbox) resized(size image.Point, asked bool) {
	reason := sizeByOther
	if asked {
		reason = sizeByViewer
	}
	if size == o.size && !asked {
		return
	}
	// A viewer that asks repeatedly without taking updates gets the last answer only.
	o.announce = append(o.announce[:0], sizeRect{size, reason, sizeOK})
	if size != o.size {
		o.size = size
		o.moved = Change{}
		o.damage.Reset(size)
		o.damage.AddAll()
	}
}

// sizeRefused answers a SetDesktopSize that was not followed.
func (o *outbox) sizeRefused() {
	o.announce = append(o.announce[:0], sizeRect{o.size, sizeByViewer, sizeProhibited})
}

// move notes that the pixels at from are now at r.
func (o *outbox) move(r image.Rectangle, from image.Point) {
	source := image.Rectangle{Min: from, Max: from.Add(r.Size())}
	next := Change{Rect: r, Moved: true, From: from}
	switch {
	case !o.supports[encCopyRect]:
		o.damage.Add(r)
		return
	case !o.moved.Moved:
	case o.moved.Rect == source: // moved on: both steps are one, and the viewer does not get what the first left behind
		next.From = o.moved.From
		for _, left := range outside(source, r) {
			o.damage.Add(left)
		}
	default:
		o.damage.Add(r)
		return
	}
	// What the viewer has not yet got at the source it will lack at the destination too.
	stale := desktop.NewDamage(o.size)
	o.damage.Runs(func(y, x0, x1 int) {
		const block = desktop.BlockSize
		run := image.Rect(x0*block, y*block, x1*block, (y+1)*block).Intersect(source)
		stale.Add(run.Add(r.Min.Sub(from)))
	})
	o.damage.Union(stale)
	o.moved = next
}

// outside returns the parts of r that are not in other.
func outside(r, other image.Rectangle) []image.Rectangle {
	in := r.Intersect(other)
	if in.Empty() {
		return []image.Rectangle{r}
	}
	return []image.Rectangle{
		image.Rect(r.Min.X, r.Min.Y, r.Max.X, in.Min.Y), image.Rect(r.Min.X, in.Max.Y, r.Max.X, r.Max.Y),
		image.Rect(r.Min.X, in.Min.Y, in.Min.X, in.Max.Y), image.Rect(in.Max.X, in.Min.Y, r.Max.X, in.Max.Y),
	}
}

// batch is what one turn of the writer loop sends. It shares nothing with the server.
type batch struct {
	format         pixelFormat
	zrle, lastRect bool
	control        []byte // messages that wait for no request
	update         bool
	sizes          []sizeRect
	extendedSize   bool
	name           *string
	cursor         *Cursor
	moved          Change
	pixels         *image.RGBA // holds what rects name
	rects          []image.Rectangle
	fault          Fault
}

// take removes what may be sent now.
func (o *outbox) take(s *Server, clip *clipboardPeer) (batch, error) {
	b := batch{format: o.format, zrle: o.supports[encZRLE], lastRect: o.supports[encLastRect]}
	if o.bell {
		b.control, o.bell = append(b.control, 2), false
	}
	if o.caps {
		b.control, o.caps = appendCaps(b.control), false
	}
	if o.clipboard {
		b.control, o.clipboard = clip.appendText(b.control, s.clipboard, o.supports[encExtendedClipboard]), false
	}
	b.control = append(b.control, clip.takeReplies()...)
	if !o.requested {
		return b, nil
	}
	if s.fault != FaultNone {
		b.fault, s.fault = s.fault, FaultNone
	}
	b.extendedSize = o.supports[encExtendedSize]
	if len(o.announce) > 0 {
		if !b.extendedSize && !o.supports[encDesktopSize] {
			return b, errCannotFollow
		}
		b.sizes, o.announce, b.update = o.announce, nil, true
	}
	if o.cursor && o.supports[encCursor] {
		b.cursor, b.update = s.cursor, true
	}
	if o.name && o.supports[encDesktopName] {
		b.name, b.update = &s.name, true
	}
	o.cursor, o.name = false, false
	if o.moved.Moved {
		b.moved, b.update = o.moved, true
		o.moved = Change{}
	}
	if !o.damage.Empty() || o.full {
		b.update = true
		b.rects = rectangles(o.damage, o.size)
		b.pixels = crop(s.picture, b.rects)
		o.damage.Clear()
	}
	b.update = b.update || b.fault != FaultNone
	if b.update {
		o.requested, o.full = false, false
	}
	return b, nil
}

// rectangles turns damage into rectangles of whole blocks, cropped to size: runs of one row that repeat in
// the next rows are one rectangle.
func rectangles(d *desktop.Damage, size image.Point) []image.Rectangle {
	const block = desktop.BlockSize
	var done, open []image.Rectangle // open ones end in the row before or in this one
	d.Runs(func(y, x0, x1 int) {
		for i, r := range open {
			if r.Min.X == x0*block && r.Max.X == x1*block && r.Max.Y == y*block {
				open[i].Max.Y += block
				return
			}
		}
		keep := open[:0]
		for _, r := range open {
			if r.Max.Y < y*block {
				done = append(done, r)
			} else {
				keep = append(keep, r)
			}
		}
		open = append(keep, image.Rect(x0*block, y*block, x1*block, (y+1)*block))
	})
	done = append(done, open...)
	for i := range done {
		done[i] = done[i].Intersect(image.Rectangle{Max: size})
	}
	return done
}

// crop copies the pixels of rects.
func crop(img *image.RGBA, rects []image.Rectangle) *image.RGBA {
	var bounds image.Rectangle
	for _, r := range rects {
		bounds = bounds.Union(r)
	}
	out := image.NewRGBA(bounds)
	for _, r := range rects {
		draw.Draw(out, r, img, r.Min, draw.Src)
	}
	return out
}
