package recording

import (
	"context"
	"io"
	"slices"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// Export is a recording as one playable MP4: a fragmented file with an index, of the closed segments.
//
// When the desktop had one size the segments are those of the recording, byte for byte. When it had several there is a sample description for each in
// one track, and the parameter sets are put before the first picture of a segment too: players that know sample descriptions and players
// that only look at the stream both follow.
type Export struct {
	r        *Recording
	header   []byte
	inits    []fmp4.Init
	index    map[string]int // of inits by file name
	segments []*Entry
	size     int64
}

// Export prepares a file. It returns ErrEmpty when there is no picture.
func (r *Recording) Export(ctx context.Context) (*Export, error) {
	x := &Export{r: r, index: map[string]int{}}
	for i := range r.entries {
		switch e := &r.entries[i]; e.Kind {
		case KindInit:
			b, err := r.read(ctx, e.Name)
			if err != nil {
				return nil, err
			}
			init, err := fmp4.ParseInit(b)
			if err != nil {
				return nil, &CorruptError{File: e.Name, Offset: -1, Err: err}
			}
			x.index[e.Name] = len(x.inits)
			x.inits = append(x.inits, init)
		case KindSegment:
			x.segments = append(x.segments, e)
		case KindSession, KindEvents:
		}
	}
	if len(x.segments) == 0 {
		return nil, ErrEmpty
	}
	start, end := x.segments[0].Start, x.segments[len(x.segments)-1].End()
	refs := x.references()
	var err error
	if x.header, err = fmp4.FileHeader(x.inits, uint64(start), uint64(end-start), refs); err != nil {
		return nil, err
	}
	x.size = int64(len(x.header))
	for _, ref := range refs {
		x.size += int64(ref.Size)
	}
	return x, nil
}

// references makes the index: one entry from each sync segment to the next.
func (x *Export) references() []fmp4.Reference {
	var refs []fmp4.Reference
	for i, e := range x.segments {
		if e.Sync || i == 0 {
			refs = append(refs, fmp4.Reference{})
		}
		ref := &refs[len(refs)-1]
		ref.Size += uint64(e.Size)
		if e.Sync && len(x.inits) > 1 {
			ref.Size += uint64(fmp4.RespecifyGrowth(&x.inits[x.index[e.Init]]))
		}
		end := e.End()
		if i+1 < len(x.segments) {
			end = x.segments[i+1].Start // the same, unless a power cut tore something out
		}
		ref.Duration += uint64(end - e.Start)
	}
	return refs
}

// Size is the length of the file in bytes.
func (x *Export) Size() int64 { return x.size }

// Write writes the file. It stops with a *CorruptError before a segment that is not what was recorded.
func (x *Export) Write(ctx context.Context, w io.Writer) error {
	if _, err := w.Write(x.header); err != nil {
		return err
	}
	var out []byte
	for _, e := range x.segments {
		b, err := x.r.read(ctx, e.Name)
		if err != nil {
			return err
		}
		if len(x.inits) > 1 {
			i := x.index[e.Init]
			if out, err = fmp4.Respecify(slices.Grow(out[:0], len(b)+1024), b, uint32(i+1), &x.inits[i]); err != nil {
				return &CorruptError{File: e.Name, Offset: -1, Err: err}
			}
			b = out
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
