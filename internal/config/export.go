package config

import "time"

// Export is how recordings are taken out.
type Export struct {
	Concurrency int           `yaml:"concurrency"` // at a time
	Expiry      time.Duration `yaml:"expiry"`      // of results
	FFmpeg      string        `yaml:"ffmpeg"`      // path, or name to be found in PATH
}

const (
	maxExports = 16
	minExpiry  = time.Minute
	maxExpiry  = 31 * 24 * time.Hour
)

func (v *validator) export(e *Export) {
	v.between("recording.export.concurrency", int64(e.Concurrency), 1, maxExports)
	if e.Expiry < minExpiry || e.Expiry > maxExpiry {
		v.fail("recording.export.expiry", "%v is not between %v and %v", e.Expiry, minExpiry, maxExpiry)
	}
	v.required("recording.export.ffmpeg", e.FFmpeg)
}
