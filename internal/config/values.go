package config

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"
)

var (
	_ encoding.TextUnmarshaler = (*Size)(nil)
	_ encoding.TextUnmarshaler = (*PortRange)(nil)
	_ encoding.TextUnmarshaler = (*Dimensions)(nil)
)

// Size is a number of bytes, written as "2GiB", "500MB" or "4096".
type Size int64

// sizeUnits in the order they are tried: longer names before their endings.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads the human form.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := strings.TrimSpace(string(text)), 1.0
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Errorf("%q is not a size such as 2GiB or 500MB", text)
	}
	if f *= factor; f >= math.MaxInt64 {
		return fmt.Errorf("size %q is too large", text)
	}
	*s = Size(f)
	return nil
}

// MarshalText writes the human form.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, u := range []struct {
		name  string
		bytes Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// PortRange is a range of ports, both ends included, written as "40000-40999" or "40000".
type PortRange struct{ First, Last uint16 }

// UnmarshalText reads the human form.
func (r *PortRange) UnmarshalText(text []byte) error {
	first, last, ranged := strings.Cut(string(text), "-")
	if !ranged {
		last = first
	}
	a, errA := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	b, errB := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if errA != nil || errB != nil || a == 0 || b < a {
		return fmt.Errorf("%q is not a range of ports such as 40000-40999", text)
	}
	*r = PortRange{First: uint16(a), Last: uint16(b)}
	return nil
}

// MarshalText writes the human form.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Dimensions is the size of a desktop in pixels, written as "1920x1080". Zero means none is asked for.
type Dimensions struct{ Width, Height int }

// UnmarshalText reads the human form; the empty text is zero.
func (d *Dimensions) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Dimensions{}
		return nil
	}
	ws, hs, ok := strings.Cut(string(text), "x")
	w, errW := strconv.ParseUint(ws, 10, 16)
	h, errH := strconv.ParseUint(hs, 10, 16)
	if !ok || errW != nil || errH != nil {
		return fmt.Errorf("%q is not a size such as 1920x1080", text)
	}
	*d = Dimensions{Width: int(w), Height: int(h)}
	return nil
}

// MarshalText writes the human form.
func (d Dimensions) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Dimensions) String() string {
	if d == (Dimensions{}) {
		return ""
	}
	return fmt.Sprintf("%dx%d", d.Width, d.Height)
}
