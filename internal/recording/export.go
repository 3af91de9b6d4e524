package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// Export is a recording as one plain MP4 of its closed segments, with a track of all sizes the desktop had. See
// fmp4.Movie for how.
type Export struct {
	r        *Recording
	movie    *fmp4.Movie
	inits    []fmp4.Init
	index    map[string]int // of the sizes, by init file
	segments []*Entry
	width    int // of the largest picture
	height   int

	// After is told, while Write writes, how many segments are written; an error ends Write. It may be nil.
	After func(done int) error

	done int // segments, of an earlier life
}

// ExportState is an Export on the way: what it has written is to be kept, and as many bytes as Movie.Offset says.
type ExportState struct {
	Segments int // done
	Last     string
	Movie    fmp4.MovieState
}

// State is how far Write has come, for After.
func (x *Export) State(done int) ExportState {
	return ExportState{done, x.segments[done-1].Name, x.movie.State()}
}

// Resume has Write go on behind what an Export of the same recording had written. After an error it must not be used.
func (x *Export) Resume(s ExportState) error {
	if s.Segments < 1 || s.Segments > len(x.segments) || x.segments[s.Segments-1].Name != s.Last || len(s.Movie.Segments) != s.Segments {
		return fmt.Errorf("recording: %d segments were written of another recording than this", s.Segments)
	}
	x.done = s.Segments
	return x.movie.Resume(s.Movie)
}

// Written is how many bytes there are by now, for After.
func (x *Export) Written() uint64 { return x.movie.Written() }

// Segments is how many there are, and the names of the first and the last.
func (x *Export) Segments() (n int, first, last string) {
	return len(x.segments), x.segments[0].Name, x.segments[len(x.segments)-1].Name
}

// Split returns the parts of an export that can be decoded each for itself and have one size: none shorter than least, but for those
// before another size and the last.
func (x *Export) Split(least time.Duration) ([]*Export, error) {
	var parts []*Export
	from := 0
	for i := 1; i <= len(x.segments); i++ {
		if i < len(x.segments) {
			e, first := x.segments[i], x.segments[from]
			resized := x.index[e.Init] != x.index[first.Init]
			if !e.Sync || !resized && (e.Start-first.Start).Duration() < least {
				continue
			}
		}
		part := &Export{r: x.r, index: map[string]int{}, inits: []fmp4.Init{x.inits[x.index[x.segments[from].Init]]}, segments: x.segments[from:i], width: x.width, height: x.height}
		for _, e := range part.segments {
			if x.index[e.Init] != x.index[part.segments[0].Init] {
				return nil, &CorruptError{File: e.Name, Offset: -1, Err: errors.New("another size without an IDR picture")}
			}
			part.index[e.Init] = 0
		}
		var err error
		if part.movie, err = fmp4.NewMovie(part.inits); err != nil {
			return nil, err
		}
		parts = append(parts, part)
		from = i
	}
	return parts, nil
}

// Span is when the first picture is shown and when the last one ends, on the session's clock.
func (x *Export) Span() (start, end time.Duration) {
	return x.segments[0].Start.Duration(), x.segments[len(x.segments)-1].End().Duration()
}

// Size is the largest width and the largest height of the whole recording, in pixels.
func (x *Export) Size() (width, height int) { return x.width, x.height }

// Sizes is how many sizes there are.
func (x *Export) Sizes() int {
	sizes := map[int]bool{}
	for _, at := range x.index {
		sizes[at] = true
	}
	return len(sizes)
}

// Export prepares a file. It returns ErrEmpty when there is no picture.
func (r *Recording) Export(ctx context.Context) (*Export, error) {
	x := &Export{r: r, index: map[string]int{}}
	var inits []fmp4.Init
	known := map[string]int{} // by content: a size that came back has files of its own
	for i := range r.entries {
		switch e := &r.entries[i]; e.Kind {
		case KindInit:
			b, err := r.read(ctx, e.Name)
			if err != nil {
				return nil, err
			}
			at, ok := known[string(b)]
			if !ok {
				init, err := fmp4.ParseInit(b)
				if err != nil {
					return nil, &CorruptError{File: e.Name, Offset: -1, Err: err}
				}
				at = len(inits)
				known[string(b)] = at
				inits = append(inits, init)
			}
			x.index[e.Name] = at
			x.width, x.height = max(x.width, e.Width), max(x.height, e.Height)
		case KindSegment:
			x.segments = append(x.segments, e)
		case KindSession, KindEvents, KindThumbnail:
		}
	}
	if len(x.segments) == 0 {
		return nil, ErrEmpty
	}
	var err error
	x.inits = inits
	x.movie, err = fmp4.NewMovie(inits)
	return x, err
}

// Write writes the file, once, while it reads the segments; after Resume, what comes behind. It stops with a *CorruptError before a segment that is
// not what was recorded; what was written until then does not play.
func (x *Export) Write(ctx context.Context, w io.Writer) error {
	var out []byte
	var err error
	if x.done == 0 {
		if out, err = x.movie.Header(); err != nil {
			return err
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	for i, e := range x.segments[x.done:] {
		b, err := x.r.read(ctx, e.Name)
		if err != nil {
			return err
		}
		if out, err = x.movie.AppendSegment(out[:0], b, x.index[e.Init]); err != nil {
			return &CorruptError{File: e.Name, Offset: -1, Err: err}
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		if x.After != nil {
			if err := x.After(x.done + i + 1); err != nil {
				return err
			}
		}
	}
	if out, err = x.movie.Trailer(); err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}
