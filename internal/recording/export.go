package recording

import (
	"context"
	"io"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// Export is a recording as one plain MP4 of its closed segments, with a track of all sizes the desktop had. See
// fmp4.Movie for how.
type Export struct {
	r        *Recording
	movie    *fmp4.Movie
	index    map[string]int // of the sizes, by init file
	segments []*Entry
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
		case KindSegment:
			x.segments = append(x.segments, e)
		case KindSession, KindEvents:
		}
	}
	if len(x.segments) == 0 {
		return nil, ErrEmpty
	}
	var err error
	x.movie, err = fmp4.NewMovie(inits)
	return x, err
}

// Write writes the file, once, while it reads the segments. It stops with a *CorruptError before a segment that is
// not what was recorded; what was written until then does not play.
func (x *Export) Write(ctx context.Context, w io.Writer) error {
	out, err := x.movie.Header()
	if err != nil {
		return err
	}
	if _, err := w.Write(out); err != nil {
		return err
	}
	for _, e := range x.segments {
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
	}
	if out, err = x.movie.Trailer(); err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}
