package recording

import (
	"context"
	"errors"
	"time"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
)

// Index is what a player needs, in the form of the API.
type Index struct {
	StartedAt  time.Time      `json:"started_at"`
	DurationMS int64          `json:"duration_ms"`
	Live       bool           `json:"live"`
	Sealed     bool           `json:"sealed"`
	Width      int            `json:"width"` // of the largest picture
	Height     int            `json:"height"`
	Inits      []IndexInit    `json:"inits"`
	Segments   []IndexSegment `json:"segments"`
	Idle       []IndexIdle    `json:"idle"` // neither picture nor events for 3 s and more
}

// IndexInit is an initialisation segment.
type IndexInit struct {
	Name   string `json:"name"`
	Codec  string `json:"codec"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// IndexSegment is a media segment.
type IndexSegment struct {
	Name       string `json:"name"`
	Init       string `json:"init"`
	StartMS    int64  `json:"start_ms"`
	DurationMS int64  `json:"duration_ms"`
	Sync       bool   `json:"sync"` // decoding can start here
	Bytes      int64  `json:"bytes"`
	Open       bool   `json:"open,omitempty"` // still growing
}

// IndexIdle is a stretch in which nothing happens.
type IndexIdle struct {
	StartMS int64 `json:"start_ms"`
	EndMS   int64 `json:"end_ms"`
}

// ms rounds down, so that a segment ends where the next one starts.
func (t Ticks) ms() int64 { return int64(t / (fmp4.Timescale / 1000)) }

// Index makes the player's index, with what is whole of the open segment.
func (r *Recording) Index(ctx context.Context) (*Index, error) {
	session, err := r.Session(ctx)
	if err != nil {
		return nil, err
	}
	x := &Index{
		StartedAt: session.StartedAt, Live: r.Live(), Sealed: r.Sealed(),
		Inits: []IndexInit{}, Segments: []IndexSegment{}, Idle: []IndexIdle{},
	}
	b := indexer{Index: x, end: recordedDuration(r.entries)}
	for i := range r.entries {
		b.add(&r.entries[i], false)
	}
	for _, name := range r.open {
		if err := b.addOpen(ctx, r, name); err != nil {
			return nil, err
		}
	}
	b.finish()
	return x, nil
}

// indexer collects an Index.
type indexer struct {
	*Index
	end       Ticks
	still     []Stretch // the picture does not change
	quiet     []Stretch // no event
	lastEvent Ticks
}

func (b *indexer) add(e *Entry, open bool) {
	switch e.Kind {
	case KindInit:
		b.Inits = append(b.Inits, IndexInit{e.Name, e.Codec, e.Width, e.Height})
		if e.Width*e.Height > b.Width*b.Height {
			b.Width, b.Height = e.Width, e.Height
		}
	case KindSegment:
		b.Segments = append(b.Segments, IndexSegment{
			Name: e.Name, Init: e.Init, StartMS: e.Start.ms(), DurationMS: e.End().ms() - e.Start.ms(),
			Sync: e.Sync, Bytes: e.Size, Open: open,
		})
		for _, s := range e.Still {
			b.still = merge(b.still, s)
		}
		b.end = max(b.end, e.End())
	case KindEvents:
		for _, s := range e.Quiet {
			b.quiet = merge(b.quiet, s)
		}
		b.lastEvent = e.last()
		b.end = max(b.end, e.last())
	case KindSession, KindThumbnail:
	}
}

// addOpen adds a file that still grows, as recovery would close it now.
func (b *indexer) addOpen(ctx context.Context, r *Recording, name string) error {
	data, err := r.readOpen(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil // closed, uploaded and deleted meanwhile; the next index has it
	}
	if err != nil {
		return err
	}
	kind, _, _ := parseName(name)
	e := Entry{Name: name, Kind: kind, Size: int64(len(data))}
	tail := r.tail()
	whole := 0
	if kind == KindEvents {
		whole = tail.scanEvents(data, &e)
	} else {
		whole = tail.scanSegment(data, &e)
	}
	if whole > 0 {
		b.add(&e, true)
	}
	return nil
}

// tail is what recovery would go by now, to close the files that still grow.
func (r *Recording) tail() *recovery {
	tail := &recovery{listed: map[string]bool{}}
	for i := range r.entries {
		tail.note(r.entries[i])
	}
	return tail
}

// finish works out what is idle and how long all is.
func (b *indexer) finish() {
	b.DurationMS = b.end.ms()
	quiet := b.quiet
	if s := (Stretch{b.lastEvent, b.end}); s.long() {
		quiet = merge(quiet, s)
	}
	for _, s := range intersect(b.still, quiet) {
		b.Idle = append(b.Idle, IndexIdle{s.Start.ms(), s.End.ms()})
	}
}
