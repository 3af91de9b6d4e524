package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/vitrine-psm/vitrine/internal/api"
	"github.com/vitrine-psm/vitrine/internal/worker"
)

const (
	// thumbnailFresh is how long a thumbnail serves everybody who looks: one worker makes no more than one in that time.
	thumbnailFresh = 2 * time.Second
	// thumbnailForget is how long one that nobody asks for is kept. Those of ended sessions go by it.
	thumbnailForget = time.Minute
	// thumbnailTimeout bounds the wait for a worker. It does not end with the one who asked first: others wait for the same.
	thumbnailTimeout = 5 * time.Second
)

// thumbnails keeps the last thumbnail of each session somebody looks at, so that ten supervisors cost one picture.
type thumbnails struct {
	render func(ctx context.Context, id string, known uint64) (jpeg []byte, serial uint64, err error)
	now    func() time.Time

	mu   sync.Mutex
	kept map[string]*kept
}

// kept is a session's thumbnail.
type kept struct {
	asked time.Time     // when somebody wanted it last
	at    time.Time     // when it was found to be right; zero: never
	busy  chan struct{} // closed when the worker has answered; nil: it was not asked
	err   error         // its last answer's

	serial uint64
	out    api.Thumbnail
}

func newThumbnails(render func(context.Context, string, uint64) ([]byte, uint64, error)) *thumbnails {
	return &thumbnails{render: render, now: time.Now, kept: map[string]*kept{}}
}

// get returns the thumbnail of a running session, at most thumbnailFresh old.
func (t *thumbnails) get(ctx context.Context, id string) (api.Thumbnail, error) {
	t.mu.Lock()
	now := t.now()
	k := t.kept[id]
	if k == nil {
		t.forget(now)
		k = &kept{}
		t.kept[id] = k
	}
	k.asked = now
	if k.busy == nil {
		if !k.at.IsZero() && now.Sub(k.at) < thumbnailFresh {
			defer t.mu.Unlock()
			return k.out, nil
		}
		k.busy = make(chan struct{})
		go t.ask(context.WithoutCancel(ctx), id, k, k.serial)
	}
	busy := k.busy
	t.mu.Unlock()
	select {
	case <-busy:
	case <-ctx.Done():
		return api.Thumbnail{}, context.Cause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return k.out, k.err
}

// ask gets a thumbnail from the worker. It ends with thumbnailTimeout.
func (t *thumbnails) ask(ctx context.Context, id string, k *kept, known uint64) {
	ctx, cancel := context.WithTimeout(ctx, thumbnailTimeout)
	defer cancel()
	jpeg, serial, err := t.render(ctx, id, known)
	t.mu.Lock()
	defer t.mu.Unlock()
	close(k.busy)
	k.busy, k.err = nil, err
	if err != nil {
		return
	}
	k.at = t.now()
	if len(jpeg) > 0 {
		sum := sha256.Sum256(jpeg)
		k.serial, k.out = serial, api.Thumbnail{JPEG: jpeg, Tag: hex.EncodeToString(sum[:8])}
	}
}

// forget drops what nobody has asked for. It needs mu.
func (t *thumbnails) forget(now time.Time) {
	for id, k := range t.kept {
		if k.busy == nil && now.Sub(k.asked) > thumbnailForget {
			delete(t.kept, id)
		}
	}
}

// Thumbnail implements api.Sessions.
func (s *sessions) Thumbnail(ctx context.Context, id string) (api.Thumbnail, error) {
	if err := s.running(ctx, id); err != nil {
		return api.Thumbnail{}, err
	}
	return s.thumbnails.get(ctx, id)
}

// Thumbnail asks a worker.
func (m manager) Thumbnail(ctx context.Context, id string, known uint64) (jpeg []byte, serial uint64, err error) {
	err = m.with(id, func(s *worker.Session) error {
		jpeg, serial, err = s.Thumbnail(ctx, known)
		return err
	})
	if errors.Is(err, worker.ErrNoThumbnail) {
		err = &api.Error{Status: http.StatusNotFound, Code: "no_thumbnail", Detail: "The desktop has drawn nothing yet.", Err: err}
	}
	return jpeg, serial, err
}
