package serve

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThumbnails(t *testing.T) {
	var made atomic.Int64
	picture, serial := []byte("\xff\xd8\xffone"), uint64(7)
	begun, answer := make(chan struct{}, 10), make(chan struct{})
	var failure error
	var now atomic.Int64
	cache := newThumbnails(func(_ context.Context, _ string, known uint64) ([]byte, uint64, error) {
		made.Add(1)
		begun <- struct{}{}
		<-answer
		if known == serial || failure != nil {
			return nil, serial, failure
		}
		return picture, serial, nil
	})
	cache.now = func() time.Time { return time.Unix(1000, now.Load()) }
	pass := func(d time.Duration) { now.Add(int64(d)) }

	// Ten who look at once, one of whom goes away, cost one picture.
	impatient, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var gone error
	wg.Go(func() { _, gone = cache.get(impatient, "a") })
	<-begun
	tags := make([]string, 10)
	for i := range tags {
		wg.Go(func() {
			out, err := cache.get(t.Context(), "a")
			if err == nil {
				tags[i] = out.Tag
			}
		})
	}
	leave()
	close(answer)
	wg.Wait()
	require.ErrorIs(t, gone, context.Canceled)
	for _, tag := range tags {
		require.NotEmpty(t, tag)
		require.Equal(t, tags[0], tag)
	}
	require.EqualValues(t, 1, made.Load())

	// Later it is asked whether the picture has changed, which it has not; the tag stays.
	pass(thumbnailFresh)
	out, err := cache.get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, tags[0], out.Tag)
	require.Equal(t, picture, out.JPEG)
	require.EqualValues(t, 2, made.Load())
	picture, serial = []byte("\xff\xd8\xfftwo"), 8
	pass(thumbnailFresh)
	out, err = cache.get(t.Context(), "a")
	require.NoError(t, err)
	require.NotEqual(t, tags[0], out.Tag)

	// Another session's is another's, a failure is told, and passes.
	failure = errors.New("broken")
	_, err = cache.get(t.Context(), "b")
	require.ErrorIs(t, err, failure)
	failure = nil
	_, err = cache.get(t.Context(), "b")
	require.NoError(t, err)

	// What nobody asks for is forgotten.
	pass(thumbnailForget + time.Second)
	_, err = cache.get(t.Context(), "c")
	require.NoError(t, err)
	require.Len(t, cache.kept, 1)
}
