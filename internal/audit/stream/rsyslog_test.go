package stream

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/audit"
	"github.com/vitrine-psm/vitrine/internal/store/storetest"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// TestRsyslog sends to a real receiver over TLS, also across its restart.
func TestRsyslog(t *testing.T) {
	if testing.Short() {
		t.Skip("starts rsyslogd")
	}
	receiver := testbed.StartRsyslog(t)

	r := newRig(t, storetest.Open(t, storetest.SQLite(t)))
	require.NoError(t, r.log.Record(t.Context(), audit.Entry{
		Action: "sign_in", Outcome: audit.Denied, Actor: audit.Actor{Name: "al\"i]c\ne", Kind: audit.KindUser}, Details: map[string]string{"x": "<13>1 - - -"},
	}))
	_, stop := r.run("a", &Syslog{
		Network: "tls", Address: receiver.Address, TLS: &tls.Config{RootCAs: receiver.Cert.Pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12},
		Header: Header{Host: "gw", Format: JSON},
	})
	defer stop()
	require.Eventually(t, func() bool { return len(receiver.Lines()) == 2 }, waitLong, 10*time.Millisecond)
	line := receiver.Lines()[1]
	require.True(t, strings.HasPrefix(line, "sign_in\t["+structuredID), line)
	require.Contains(t, line, `actor="al\"i\]c e"`)
	text := line[strings.LastIndex(line, "\t")+1:]
	_, e, err := audit.Decode([]byte(strings.TrimSpace(text)))
	require.NoError(t, err, "the text is the canonical entry: %s", text)
	require.Equal(t, "al\"i]c\ne", e.Actor.Name)

	receiver.Stop()
	r.fill(10)
	time.Sleep(50 * time.Millisecond) // some tries fail
	receiver.Start()
	require.Eventually(t, func() bool { return len(receiver.Lines()) >= 12 }, waitLong, 10*time.Millisecond)
	all := strings.Join(receiver.Lines(), "\n")
	for i := range 12 {
		require.Contains(t, all, fmt.Sprintf(`index="%d"`, i))
	}

	// One that cannot prove who it is gets nothing.
	stranger := &Syslog{Network: "tls", Address: receiver.Address, TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Header: Header{Format: JSON}}
	require.ErrorContains(t, stranger.Send(t.Context(), []Item{nasty()}), "certificate")
	require.NoError(t, stranger.Close())
}
