package vncclient

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverShown(t *testing.T) {
	const word = "hunter2"
	s := Secret(word)
	var log strings.Builder
	l := slog.New(slog.NewTextHandler(&log, nil))
	l.Info("m", "secret", s, "config", Config{Password: s}, "pointer", &Config{Password: s})
	j, err := json.Marshal(map[string]any{"s": s, "c": struct{ P Secret }{s}})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(j) + s.String() + fmt.Sprint(s, &s, []Secret{s})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		shown += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, Config{Password: s})
	}
	if strings.Contains(shown, word) || strings.Contains(shown, fmt.Sprintf("%x", word)) {
		t.Fatalf("shown in %s", shown)
	}
}

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

func TestParseFingerprint(t *testing.T) {
	want := strings.Repeat("ab", 32)
	for _, s := range []string{want, strings.ToUpper(want), strings.TrimSuffix(strings.Repeat("AB:", 32), ":"), " " + want + "\n"} {
		if f, err := ParseFingerprint(s); err != nil || f.String() != want {
			t.Errorf("%q: %v, %v", s, f, err)
		}
	}
	for _, s := range []string{"", "ab", want + "ab", want[1:] + "x"} {
		if _, err := ParseFingerprint(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
