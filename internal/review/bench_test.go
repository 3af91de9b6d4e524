package review

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/vitrine-psm/vitrine/internal/store"
	"github.com/vitrine-psm/vitrine/internal/testbed"
)

// What a large gateway has, and how long a search may take.
const (
	benchRecordings = 10_000
	benchTexts      = 200 // of each recording: 2 million in all
	searchLimit     = 300 * time.Millisecond
)

// BenchmarkFind searches the texts of 10,000 recordings, policy's question for each found one included as a look into the
// database. It fails where a search takes longer than searchLimit.
//
//	go test -run '^$' -bench Find ./internal/review
func BenchmarkFind(b *testing.B) {
	for _, database := range []struct {
		name   string
		source func() string
	}{
		{"sqlite", func() string { return filepath.Join(b.TempDir(), "v.db") }},
		{"postgresql", func() string { return testbed.Postgres(b) }},
	} {
		b.Run(database.name, func(b *testing.B) {
			db, err := store.Open(b.Context(), database.source())
			require.NoError(b, err)
			defer db.Close()
			fillSearch(b, db)
			s := New(Options{DB: db, Logger: slog.New(slog.DiscardHandler)})
			for _, search := range []struct {
				name string
				q    Query
			}{
				{"everywhere", Query{Text: "sudo systemctl"}},
				{"rare", Query{Text: "/etc/shadow"}},
				{"once", Query{Text: "needle-in-a-haystack"}},
				{"in-vain", Query{Text: "invoke-mimikatz"}},
				{"common-pieces-in-vain", Query{Text: "restart nginx.servicectl"}},
				{"title", Query{Text: "web04", Kinds: []string{KindTitle}}},
				{"person", Query{Text: "systemctl", Sessions: store.SessionFilter{User: "u7"}}},
				{"month", Query{Text: "systemctl", Sessions: store.SessionFilter{Since: benchStart.AddDate(0, 1, 0), Until: benchStart.AddDate(0, 2, 0)}}},
			} {
				b.Run(search.name, func(b *testing.B) {
					search.q.Limit = 20
					found := 0
					for b.Loop() {
						page, _, err := s.Find(b.Context(), search.q, func(ctx context.Context, id string) (bool, error) {
							_, err := db.Recordings.Get(ctx, id)
							return err == nil, err
						})
						require.NoError(b, err)
						found = len(page)
					}
					b.ReportMetric(float64(found), "recordings")
					if each := b.Elapsed() / time.Duration(b.N); each > searchLimit {
						b.Errorf("a search takes %v, longer than %v", each, searchLimit)
					}
				})
			}
		})
	}
}

var benchStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fillSearch makes recordings of people who administer servers.
func fillSearch(b *testing.B, db *store.Store) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	verbs := strings.Fields("cat ls vi less tail grep sudo systemctl journalctl docker kubectl ip ss ps kill rm cp mv chmod chown ssh scp rsync curl tar apt dnf git make python3")
	nouns := strings.Fields("/var/log/syslog /etc/hosts /etc/nginx/nginx.conf /srv/www/index.html app.service nginx.service postgresql.service -l -rf --all --follow HEAD origin/main deployment/api pod/web-5d9c 10.0.3.17 web04 db02 backup.tar.gz ~/.ssh/config /opt/app/current")
	line := func() string {
		words := []string{verbs[r.IntN(len(verbs))]}
		for range 1 + r.IntN(5) {
			words = append(words, nouns[r.IntN(len(nouns))])
		}
		return strings.Join(words, " ") + fmt.Sprintf(" # %x", r.Uint32())
	}
	for first := 0; first < benchRecordings; first += 100 {
		require.NoError(b, db.Tx(b.Context(), func(tx *store.Store) error {
			for i := first; i < first+100; i++ {
				at := benchStart.Add(time.Duration(i) * 20 * time.Minute)
				id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
				row := store.Session{ID: id, UserID: fmt.Sprintf("u%d", i%200), UserName: fmt.Sprintf("user%d", i%200), TargetID: fmt.Sprintf("t%d", i%1000), StartedAt: at, State: store.StateEnded}
				if err := tx.Sessions.Create(b.Context(), row); err != nil {
					return err
				}
				if err := tx.Recordings.Put(b.Context(), store.Recording{SessionID: id, State: store.RecordingSealed}); err != nil {
					return err
				}
				p := packer{}
				for n := range benchTexts {
					t := Text{US: int64(n) * 5e6, Kind: KindLine, Actor: row.UserName, Text: line()}
					switch {
					case n%10 == 3:
						t.Kind, t.Text = KindTitle, fmt.Sprintf("%s: %s", nouns[r.IntN(len(nouns))], row.UserName)
					case n == 7:
						t.Text = "sudo systemctl restart nginx.service"
					case n == 9 && i%500 == 0:
						t.Text = "cat /etc/shadow"
					case n == 11 && i == 4321:
						t.Text = "the needle-in-a-haystack itself"
					}
					p.add(t)
				}
				p.flush()
				progress, err := tx.Search.Begin(b.Context(), id)
				if err != nil {
					return err
				}
				progress.Done = true
				if err := tx.Search.Add(b.Context(), &progress, p.blocks); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
