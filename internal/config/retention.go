package config

import (
	"encoding"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of retentions. A century is more than any law asks for and less than a date can hold.
const (
	MinRetention = time.Minute
	MaxRetention = 100 * 365 * 24 * time.Hour
)

var _ encoding.TextUnmarshaler = (*Retention)(nil)

// Retention is how long recordings are kept after their session's end, written as "365d" or "12h"; 0 is without end.
type Retention time.Duration

// ParseRetention reads the human form: whole days, or a time with units.
func ParseRetention(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < MinRetention || d > MaxRetention {
		return 0, fmt.Errorf(`%q is not a time from "1m" to "36500d"`, text)
	}
	return d, nil
}

// UnmarshalText reads the human form; "0" and the empty text are without end.
func (r *Retention) UnmarshalText(text []byte) error {
	if s := string(text); s == "" || s == "0" {
		*r = 0
		return nil
	}
	d, err := ParseRetention(string(text))
	*r = Retention(d)
	return err
}

// MarshalText writes the human form.
func (r Retention) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Retention) String() string {
	switch d := time.Duration(r); {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	default:
		return d.String()
	}
}

// ObjectLock makes the store itself refuse to remove recordings before their time.
type ObjectLock struct {
	Mode LockMode `yaml:"mode"`
}

// LockMode is how firmly the store holds recordings.
type LockMode string

// How firmly the store holds recordings.
const (
	LockOff        LockMode = "off"
	LockGovernance LockMode = "governance" // who has a special permission in the store can remove one nevertheless
	LockCompliance LockMode = "compliance" // nobody can
)

func (v *validator) retention(r *Recording) {
	v.oneOf("recording.object_lock.mode", string(r.ObjectLock.Mode), string(LockOff), string(LockGovernance), string(LockCompliance))
	if r.ObjectLock.Mode == LockOff {
		return
	}
	if r.Store.Type != StoreMinIO {
		v.fail("recording.object_lock.mode", "%q needs the store minio: a folder cannot hold what its owner removes", string(r.ObjectLock.Mode))
	}
	if r.Retention == 0 {
		v.fail("recording.retention", "is needed with recording.object_lock: objects are locked until a time")
	}
}
