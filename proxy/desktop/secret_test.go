package desktop

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverShown(t *testing.T) {
	const word = "hunter2"
	type config struct{ Password Secret }
	s := Secret(word)
	var log strings.Builder
	l := slog.New(slog.NewTextHandler(&log, nil))
	l.Info("m", "secret", s, "config", config{Password: s}, "pointer", &config{Password: s})
	j, err := json.Marshal(map[string]any{"s": s, "c": struct{ P Secret }{s}})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(j) + s.String() + fmt.Sprint(s, &s, []Secret{s})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		shown += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, config{Password: s})
	}
	if strings.Contains(shown, word) || strings.Contains(shown, fmt.Sprintf("%x", word)) {
		t.Fatalf("shown in %s", shown)
	}
}
