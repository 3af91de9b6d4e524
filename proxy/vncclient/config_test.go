package vncclient

import "testing"

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		ok   bool
	}{
		{"empty", Config{}, true},
		{"quality", Config{JPEGQuality: 9}, true},
		{"quality too high", Config{JPEGQuality: 10}, false},
		{"quality negative", Config{JPEGQuality: -1}, false},
		{"encodings", Config{Encodings: []EncodingType{EncodingZRLE}}, true},
		{"encoding unknown", Config{Encodings: []EncodingType{99}}, false},
	} {
		if _, err := New(c.cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
