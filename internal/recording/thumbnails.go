package recording

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// thumbnailDue tells whether it is time to ask for a thumbnail: there are pictures, and the last is thumbnailInterval old.
func (w *writer) thumbnailDue(now time.Duration) bool {
	return w.any && (w.nextThumb == 0 || now-w.thumbAt >= thumbnailInterval)
}

// thumbnail writes how the desktop looks at now.
func (w *writer) thumbnail(jpeg []byte, now time.Duration) error {
	if len(jpeg) > maxThumbnailBytes {
		return fmt.Errorf("%w: thumbnail of %d bytes", ErrLimit, len(jpeg))
	}
	name, err := fileName(KindThumbnail, w.nextThumb)
	if err != nil {
		return err
	}
	if err := spoolfs.WriteFile(w.fs, name, jpeg); err != nil {
		return &SpoolError{"write", name, err}
	}
	w.nextThumb++
	w.thumbAt = now
	w.written += uint64(len(jpeg))
	us := now.Microseconds()
	return w.closed(Entry{Name: name, Kind: KindThumbnail, Size: int64(len(jpeg)), SHA256: sha256.Sum256(jpeg), FirstUS: us, LastUS: us})
}

// addThumbnail writes a thumbnail if one is due and there is another than the last. The caller holds disk.
func (r *Recorder) addThumbnail(now time.Duration) error {
	if r.opts.Thumbnail == nil || !r.w.thumbnailDue(now) {
		return nil
	}
	return r.askThumbnail(now)
}

// lastThumbnail writes how the desktop looked at the end, unless that is known or nothing was shown. The caller holds disk.
func (r *Recorder) lastThumbnail(b batch, now time.Duration) error {
	if r.opts.Thumbnail == nil || !r.w.any && len(b.units) == 0 {
		return nil
	}
	return r.askThumbnail(now)
}

// askThumbnail writes a thumbnail if there is another than the last.
func (r *Recorder) askThumbnail(now time.Duration) error {
	jpeg, serial := r.opts.Thumbnail(r.thumbSerial)
	if len(jpeg) == 0 {
		return nil
	}
	r.thumbSerial = serial
	return r.w.thumbnail(jpeg, now)
}

// Thumbnail returns the name and the content of the thumbnail that shows the desktop at a time since the beginning: the last until
// then, or the first there is. A negative time is somewhere in the middle of the recording. It returns ErrNotFound when there is none.
func (r *Recording) Thumbnail(ctx context.Context, at time.Duration) (name string, jpeg []byte, err error) {
	var all []*Entry
	for i := range r.entries {
		if r.entries[i].Kind == KindThumbnail {
			all = append(all, &r.entries[i])
		}
	}
	if len(all) == 0 {
		return "", nil, fmt.Errorf("%w: thumbnail", ErrNotFound)
	}
	found := all[len(all)/2]
	if at >= 0 {
		found = all[0]
		for _, e := range all[1:] {
			if e.FirstUS <= at.Microseconds() {
				found = e
			}
		}
	}
	jpeg, err = r.read(ctx, found.Name)
	return found.Name, jpeg, err
}
