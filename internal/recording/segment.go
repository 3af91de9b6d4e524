package recording

import (
	"os"

	"github.com/vitrine-psm/vitrine/codec/fmp4"
	"github.com/vitrine-psm/vitrine/codec/h264"
	"github.com/vitrine-psm/vitrine/internal/recording/spoolfs"
)

// segment is the open segment. Its pictures go through three stages: in the batch, in the tail (written, but the
// duration of its last sample still changes), and hashed.
type segment struct {
	f     spoolfs.File
	entry Entry // Size, Duration, digests and Still are set when it is closed

	lastStart Ticks // of the last sample
	lastTicks Ticks // its duration as written
	batch     fmp4.Fragment
	tail      []byte // the last fragment of the file
	tailAt    int64  // where it is
	lastAt    int    // the offset in tail of the last sample's duration
	digest    *digest
	dirty     bool // written and not flushed
}

func newSegment(fs spoolfs.FS, entry Entry) (*segment, error) {
	f, err := fs.Open(entry.Name, os.O_CREATE|os.O_EXCL|os.O_RDWR)
	if err != nil {
		return nil, &SpoolError{"create", entry.Name, err}
	}
	return &segment{f: f, entry: entry, digest: newDigest(), dirty: true}, nil
}

// bytes is the size of the file once the batch is written, a little more at most.
func (s *segment) bytes() int64 { return s.tailAt + int64(len(s.tail)+s.batch.Size()) }

// add puts a picture into the batch. start must be after that of the picture before.
func (s *segment) add(start Ticks, idr bool, annexB []byte) error {
	if n := len(s.batch.Samples); n > 0 {
		s.batch.Samples[n-1].Duration = fmp4Duration(start - s.lastStart)
	} else {
		s.batch.Start, s.batch.Sync = uint64(start), idr
		if err := s.extend(start); err != nil {
			return err
		}
	}
	before := len(s.batch.Payload)
	s.batch.Payload = h264.AppendAVCC(s.batch.Payload, annexB)
	s.batch.Samples = append(s.batch.Samples, fmp4.Sample{Duration: 1, Size: uint32(len(s.batch.Payload) - before)})
	s.lastStart, s.lastTicks = start, 1
	s.entry.Samples++
	return nil
}

// write writes the batch as one fragment; its last sample lasts until now.
func (s *segment) write(sequence uint32, now Ticks) error {
	s.digest.add(s.tail)
	s.tailAt += int64(len(s.tail))
	s.lastTicks = max(now, s.lastStart+1) - s.lastStart
	last := len(s.batch.Samples) - 1
	s.batch.Samples[last].Duration = fmp4Duration(s.lastTicks)
	s.batch.Sequence = sequence
	s.lastAt = s.batch.LastDurationOffset()
	var err error
	if s.tail, err = s.batch.Append(s.tail[:0]); err != nil {
		return err
	}
	s.batch.Samples, s.batch.Payload = s.batch.Samples[:0], s.batch.Payload[:0]
	s.dirty = true
	if _, err := s.f.WriteAt(s.tail, s.tailAt); err != nil {
		return &SpoolError{"write", s.entry.Name, err}
	}
	return nil
}

// extend makes the last written sample last until end, in place. There must be no batch.
func (s *segment) extend(end Ticks) error {
	ticks := max(end, s.lastStart+1) - s.lastStart
	if len(s.tail) == 0 || ticks == s.lastTicks {
		return nil
	}
	s.lastTicks = ticks
	s.dirty = true
	field := s.tail[s.lastAt : s.lastAt+4]
	fmp4.PutDuration(field, uint64(ticks))
	if _, err := s.f.WriteAt(field, s.tailAt+int64(s.lastAt)); err != nil {
		return &SpoolError{"write", s.entry.Name, err}
	}
	return nil
}

// end is when the last sample ends, as the file says it.
func (s *segment) end() Ticks { return s.lastStart + Ticks(fmp4Duration(s.lastTicks)) }

func (s *segment) sync() error {
	if !s.dirty {
		return nil
	}
	if err := s.f.Sync(); err != nil {
		return &SpoolError{"sync", s.entry.Name, err}
	}
	s.dirty = false
	return nil
}

// close flushes the file and completes the entry. There must be no batch.
func (s *segment) close() (Entry, error) {
	if err := s.sync(); err != nil {
		return Entry{}, err
	}
	if err := s.f.Close(); err != nil {
		return Entry{}, &SpoolError{"close", s.entry.Name, err}
	}
	s.digest.add(s.tail)
	s.digest.seal(&s.entry)
	s.entry.Duration = s.end() - s.entry.Start
	return s.entry, nil
}

// fmp4Duration is what a sample can last; see stillInterval for why the cap is not met.
func fmp4Duration(t Ticks) uint32 { return uint32(min(t, fmp4.MaxDuration)) }
